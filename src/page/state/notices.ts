import { plain } from "../text/plain.ts";
import { Store } from "./store.ts";

/** Something the page tells in passing. */
export interface Notice {
  readonly id: number;
  readonly tone: "good" | "bad" | "plain";
  readonly text: string;
}

const ITEM_ENDS: Readonly<Record<string, readonly [text: string, tone: Notice["tone"]]>> = {
  "library.game-install-finished": ["is installed", "good"],
  "library.game-install-failed": ["could not be installed", "bad"],
  "library.game-uninstall-finished": ["is uninstalled", "good"],
  "library.game-uninstall-failed": ["could not be uninstalled", "bad"],
  "library.no-peers-have-game": ["could not be fetched: no peer has it", "bad"],
};

const DOWNLOAD_ENDS: typeof ITEM_ENDS = {
  Completed: ["is here", "good"],
  Failed: ["could not be fetched", "bad"],
  Cancelled: ["is fetched no longer", "plain"],
};

/** What an event is told as in passing; undefined for most. */
export function noticeOf(
  name: string,
  body: Readonly<Record<string, unknown>>,
): Pick<Notice, "text" | "tone"> | undefined {
  if (name === "JobUpdate") return downloadNotice(body);
  const [text, tone] = ITEM_ENDS[name === "Custom" ? String(body["event_type"]) : ""] ?? [];
  if (!text || !tone) return undefined;
  const { id, reason } = (body["data"] ?? {}) as { id?: unknown; reason?: unknown };
  return { text: `${plain(id, 60)} ${text}${reason ? `: ${plain(reason)}` : ""}`, tone };
}

function downloadNotice(body: Readonly<Record<string, unknown>>): ReturnType<typeof noticeOf> {
  const id = downloadedItem(body);
  const [text, tone] = DOWNLOAD_ENDS[String(body["status"])] ?? [];
  if (id === undefined || !text || !tone) return undefined;
  const reason = tone === "bad" ? `: ${plain(body["message"])}` : "";
  return { text: `${plain(id, 60)} ${text}${reason}`, tone };
}

/** The item that the job of an event fetches; undefined if it is another job, or none. */
export function downloadedItem(body: Readonly<Record<string, unknown>>): string | undefined {
  return /^download:(.+)$/.exec(String(body["job_id"]))?.[1];
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
