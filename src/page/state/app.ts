import { createContext } from "preact";
import { useContext } from "preact/hooks";
import { CallError, Calls } from "../wire/calls.ts";
import { EventList } from "./event_list.ts";
import { Live } from "./live.ts";
import { noticeOf, Notices } from "./notices.ts";
import { createResources, type Resources, topicsOf } from "./resources.ts";
import { followRoute, type Route } from "./route.ts";
import { Session } from "./session.ts";
import { Store } from "./store.ts";

/** Uptime is told in whole seconds, and on its way for a moment. */
const CLOCK_SLACK_MS = 3_000;

/** Everything the views stand on. */
export class App {
  readonly calls: Calls;
  readonly session: Session;
  readonly notices = new Notices();
  readonly events = new EventList();
  readonly live: Live;
  readonly route: Store<Route>;
  readonly resources: Resources;
  /** Requests of trust that wait here; stands in the title. */
  readonly waiting: Store<number> = new Store(0);
  readonly #page: Window;
  #startedAtMs: number | undefined;

  constructor(page: Window, fetch: (path: string, init: RequestInit) => Promise<Response>) {
    this.#page = page;
    this.calls = new Calls({ fetch });
    this.session = new Session(this.calls);
    this.route = followRoute(page);
    this.live = new Live({
      calls: this.calls,
      onEvent: (name, body) => this.#happened(name, body),
      onBack: () => void this.#back(),
    });
    this.resources = createResources(this.calls, () => this.isAwake());
  }

  /** Whether questions make sense: the page is seen, and the daemon answers. */
  isAwake(): boolean {
    return !this.#page.document.hidden && this.live.connection.value.state !== "lost";
  }

  /** Signs in and begins to follow the daemon. */
  start(code: string | undefined): void {
    void this.session.begin(code);
    this.live.start();
    this.#page.document.addEventListener("visibilitychange", () => {
      if (this.#page.document.hidden) this.live.pause();
      else this.live.start();
    });
  }

  /**
   * Does something for the person at the page, and says what came of it.
   *
   * @param done What to say when it worked; nothing when empty.
   * @returns Whether it worked.
   */
  async run(work: () => Promise<unknown>, done = ""): Promise<boolean> {
    if (this.session.state.value.kind !== "signed_in") {
      this.session.ask(true);
      return false;
    }
    try {
      await work();
      if (done) this.notices.tell(done, "good");
      return true;
    } catch (failure) {
      if (failure instanceof CallError && failure.code === "unauthenticated") {
        this.session.refused();
      } else this.notices.tell(failure instanceof Error ? failure.message : String(failure), "bad");
      return false;
    }
  }

  #happened(name: string, body: Record<string, unknown>): void {
    this.events.add(name, body);
    const notice = noticeOf(name, body);
    if (notice) this.notices.tell(notice.text, notice.tone);
    for (const topic of topicsOf(name, body)) this.resources[topic].refresh();
  }

  // Everything may have changed while nobody told us.
  async #back(): Promise<void> {
    const isFirst = this.#startedAtMs === undefined;
    for (const resource of Object.values(this.resources)) {
      // At first everything was asked a moment ago.
      if (!isFirst || resource.store.value.problem) resource.renew();
    }
    const status = await this.calls.query("core.status", {}).catch(() => undefined);
    if (!status) return;
    const startedAtMs = Date.now() - status.uptime_s * 1_000;
    const before = this.#startedAtMs;
    this.#startedAtMs = startedAtMs;
    if (before === undefined || Math.abs(before - startedAtMs) < CLOCK_SLACK_MS) return;
    this.notices.tell("almenad was restarted; this page is up to date again", "good");
    void this.session.begin(undefined);
  }
}

/** How views find the app. */
export const AppContext = createContext<App | undefined>(undefined);

/** The app a view belongs to. */
export function useApp(): App {
  const app = useContext(AppContext);
  if (!app) throw new TypeError("a view outside of the page");
  return app;
}
