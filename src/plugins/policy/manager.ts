import { mkdir, readdir, readFile, unlink } from "node:fs/promises";
import { join } from "node:path";
import {
  type Clock,
  DaemonError,
  logger,
  messageOf,
  systemCode,
  writeDurably,
} from "../../core/mod.ts";
import type { Daemon, PolicyManager, ShadowVerdict } from "../plugin.ts";
import type { Explanation, GateQuestion, Runner } from "./runner.ts";

/** What {@link Policies} uses. */
export interface PoliciesComponents {
  readonly daemon: Daemon;
  readonly clock: Clock;
}

const FILE = /^policy_(\d{1,5})(\.shadow)?\.json$/;
const log = logger("plugins");

/** Every running policy by network, kept in `policies/`; contract 4.5. */
export class Policies implements PolicyManager {
  readonly #components: PoliciesComponents;
  readonly #folder: string;
  readonly #active = new Map<number, Runner>();
  readonly #shadows = new Map<number, Runner>();
  // What is asked first is written first.
  #last: Promise<unknown> = Promise.resolve();

  /** @param init.folder Where policies are kept; empty to keep none. */
  constructor(components: PoliciesComponents, init: { folder: string }) {
    this.#components = components;
    this.#folder = init.folder;
  }

  async start(network: number, policyJson: string): Promise<Runner> {
    return await this.#begin(network, policyJson, false);
  }

  /** Runs a policy beside the active one: it denies nothing and says what it would have denied. */
  async startShadow(network: number, policyJson: string): Promise<Runner> {
    return await this.#begin(network, policyJson, true);
  }

  async stop(network: number): Promise<void> {
    await this.#end(network, false);
  }

  /** Ends a policy in shadow mode. */
  async stopShadow(network: number): Promise<void> {
    await this.#end(network, true);
  }

  get(network: number): Runner | null {
    return this.#active.get(network) ?? null;
  }

  all(): readonly Runner[] {
    return [...this.#active.values(), ...this.#shadows.values()];
  }

  /** Ends all; their files stay, so that the next start runs them again. */
  async stopAll(): Promise<void> {
    await this.#last;
    for (const runner of this.all()) runner.stop();
    this.#active.clear();
    this.#shadows.clear();
  }

  async loadPersisted(): Promise<void> {
    if (this.#folder === "") return;
    for (const name of (await filesIn(this.#folder)).sort()) {
      const [, digits, shadow] = FILE.exec(name) ?? [];
      if (digits === undefined) continue;
      const path = join(this.#folder, name);
      try {
        await this.#run(Number(digits), await readFile(path, "utf8"), shadow !== undefined);
      } catch (cause) {
        // A daemon that forgot who is denied would let everybody in.
        throw new DaemonError("data_loss", `Cannot run policy ${path}: ${messageOf(cause)}`, {
          cause,
        });
      }
    }
  }

  /** How verdicts of every policy that concerns the peer come about; the first denial wins. */
  explain(
    question: Omit<GateQuestion, "localTags" | "peerTags">,
  ): (Explanation & { readonly network: number; readonly isShadow: boolean })[] {
    const { daemon } = this.#components;
    const concerned = this.all().filter((runner) => runner.hasMember(question.peerId));
    return concerned.map((runner) => {
      const network = runner.networkID();
      const localTags = daemon.networks().tagsOf(network, daemon.peerId());
      const peerTags = daemon.networks().tagsOf(network, question.peerId);
      const explanation = runner.explain({ ...question, localTags, peerTags });
      return { ...explanation, network, isShadow: runner.isShadow };
    });
  }

  /** What policies in shadow mode would have denied, newest first. */
  shadowVerdicts(): readonly ShadowVerdict[] {
    return [...this.#shadows.values()].flatMap(({ shadowLog }) => shadowLog.list())
      .sort((a, b) => b.time < a.time ? -1 : Number(b.time > a.time));
  }

  /** Reads membership anew, after a network changed. */
  reconcile(): void {
    for (const runner of this.all()) runner.reconcileNow();
  }

  #begin(network: number, policyJson: string, isShadow: boolean): Promise<Runner> {
    return this.#inTurn(async () => {
      checkNetwork(network);
      const { compilePolicy } = await import("./engine.ts");
      compilePolicy(policyJson); // before anything is replaced
      await this.#keep(network, isShadow, policyJson);
      return await this.#run(network, policyJson, isShadow);
    });
  }

  async #run(network: number, policyJson: string, isShadow: boolean): Promise<Runner> {
    // Who has no policy need not wait for what runs them.
    const { compilePolicy, Runner } = await import("./engine.ts");
    const runners = isShadow ? this.#shadows : this.#active;
    const policy = compilePolicy(policyJson);
    runners.get(network)?.stop();
    const runner = new Runner(this.#components, { network, policy, isShadow });
    runners.set(network, runner);
    log.info("A policy runs", { network, mode: isShadow ? "shadow" : "active" });
    return runner;
  }

  #end(network: number, isShadow: boolean): Promise<void> {
    return this.#inTurn(async () => {
      const runners = isShadow ? this.#shadows : this.#active;
      await this.#keep(network, isShadow, undefined);
      runners.get(network)?.stop();
      runners.delete(network);
    });
  }

  async #keep(network: number, isShadow: boolean, text: string | undefined): Promise<void> {
    if (this.#folder === "") return;
    const path = join(this.#folder, `policy_${network}${isShadow ? ".shadow" : ""}.json`);
    try {
      await mkdir(this.#folder, { recursive: true, mode: 0o700 });
      if (text === undefined) await unlink(path);
      else await writeDurably(path, text);
    } catch (cause) {
      if (text === undefined && systemCode(cause) === "ENOENT") return;
      const code = systemCode(cause) === "ENOSPC" ? "resource_exhausted" : "unavailable";
      throw new DaemonError(code, `Cannot write ${path}: ${messageOf(cause)}`, { cause });
    }
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#last.then(work);
    this.#last = done.catch(() => undefined);
    return done;
  }
}

function checkNetwork(network: number): void {
  if (Number.isInteger(network) && network >= 0 && network <= 65_535) return;
  throw new DaemonError("invalid_argument", `Cannot use network ${network}: it is not 0 to 65535`);
}

async function filesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (cause) {
    if (systemCode(cause) === "ENOENT") return [];
    throw new DaemonError("permission_denied", `Cannot read ${folder}: ${messageOf(cause)}`, {
      cause,
    });
  }
}
