import { CallError, type Calls } from "../wire/calls.ts";
import { Store } from "./store.ts";

/** Whether this browser may change things. */
export interface SessionState {
  readonly kind: "unknown" | "signed_in" | "looking";
  /** Why signing in failed; empty when it did not. */
  readonly problem: string;
  /** Whether the form to sign in is to be shown. */
  readonly isAsked: boolean;
}

/** Who sits in front of the page. */
export class Session {
  readonly state: Store<SessionState> = new Store<SessionState>({
    kind: "unknown",
    problem: "",
    isAsked: false,
  });
  readonly #calls: Calls;

  constructor(calls: Calls) {
    this.#calls = calls;
  }

  /** Signs in with the code of the address, else with the cookie of an earlier visit. */
  async begin(code: string | undefined): Promise<void> {
    if (code !== undefined && await this.#take("POST", code)) return;
    const { problem } = this.state.value;
    if (await this.#take("GET")) return;
    this.#set({ kind: "looking", problem: code === undefined ? "" : problem });
  }

  /** Signs in with the admin token, until the page is closed. */
  async useToken(token: string): Promise<void> {
    this.#calls.credential = { kind: "token", token };
    try {
      // Nobody has this id, so nothing happens; only who holds the token gets to hear so.
      await this.#calls.act("network.ping", { peer_id: "" });
      this.#set({ kind: "signed_in" });
    } catch (failure) {
      const isRefused = failure instanceof CallError && failure.code === "unauthenticated";
      if (!isRefused) return this.#set({ kind: "signed_in" });
      this.#calls.credential = { kind: "none" };
      this.#set({ kind: "looking", problem: "This is not the admin token", isAsked: true });
    }
  }

  /** Forgets who sits here. */
  async signOut(): Promise<void> {
    await this.#calls.session("DELETE").catch(() => undefined); // it is over here in any case
    this.#calls.credential = { kind: "none" };
    this.#set({ kind: "looking" });
  }

  /** Shows or hides the form to sign in. */
  ask(isAsked: boolean): void {
    this.#set({ ...this.state.value, isAsked });
  }

  /** The daemon turned a change away: what we showed counts no longer. */
  refused(): void {
    this.#calls.credential = { kind: "none" };
    this.#set({ kind: "looking", isAsked: true });
  }

  async #take(method: "GET" | "POST", code?: string): Promise<boolean> {
    try {
      const { csrf } = await this.#calls.session(method, code);
      if (!csrf) return false;
      this.#calls.credential = { kind: "session", csrf };
      this.#set({ kind: "signed_in" });
      return true;
    } catch (failure) {
      const problem = failure instanceof Error ? failure.message : String(failure);
      if (method === "POST") this.#set({ kind: "looking", problem });
      return false;
    }
  }

  #set(state: Partial<SessionState>): void {
    this.state.set({ kind: "unknown", problem: "", isAsked: false, ...state });
  }
}
