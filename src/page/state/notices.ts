import { plain } from "../text/plain.ts";
import { Store } from "./store.ts";

/** Something the page tells in passing. */
export interface Notice {
  readonly id: number;
  readonly tone: "good" | "bad" | "plain";
  readonly text: string;
}

const ITEM_ENDS: Readonly<Record<string, readonly [text: string, tone: Notice["tone"]]>> = {
  "library.game-download-finished": ["is here", "good"],
  "library.game-download-failed": ["could not be fetched", "bad"],
  "library.game-install-finished": ["is installed", "good"],
  "library.game-install-failed": ["could not be installed", "bad"],
  "library.game-uninstall-finished": ["is uninstalled", "good"],
  "library.game-uninstall-failed": ["could not be uninstalled", "bad"],
  "library.no-peers-have-game": ["could not be fetched: no peer has it", "bad"],
};

/** What an event is told as in passing; undefined for most. */
export function noticeOf(
  name: string,
  body: Readonly<Record<string, unknown>>,
): Pick<Notice, "text" | "tone"> | undefined {
  const [text, tone] = ITEM_ENDS[name === "Custom" ? String(body["event_type"]) : ""] ?? [];
  if (!text || !tone) return undefined;
  const { id, reason } = (body["data"] ?? {}) as { id?: unknown; reason?: unknown };
  return { text: `${plain(id, 60)} ${text}${reason ? `: ${plain(reason)}` : ""}`, tone };
}

const MAX_NOTICES = 4;
const SHOWN_MS = 6_000;

/** What was just done, or could not be; shown for a moment and read out. */
export class Notices {
  readonly list: Store<readonly Notice[]> = new Store<readonly Notice[]>([]);
  #next = 0;

  /** Tells something; what failed stays until it is dismissed. */
  tell(text: string, tone: Notice["tone"] = "plain"): void {
    const id = this.#next++;
    this.list.set([...this.list.value, { id, tone, text }].slice(-MAX_NOTICES));
    if (tone !== "bad") setTimeout(() => this.dismiss(id), SHOWN_MS);
  }

  /** Takes one away. */
  dismiss(id: number): void {
    this.list.set(this.list.value.filter((notice) => notice.id !== id));
  }
}
