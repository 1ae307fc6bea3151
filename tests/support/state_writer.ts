/**
 * Changes trust, networks and policies of a folder again and again, for tests that kill it in
 * between: `state_writer.ts <folder> <trust|networks|policies|all> <first> <last> [wait]`. Says
 * `done <n>` once the n-th change is acknowledged, `failed …` where it could not be made. With `wait`
 * each change but the first waits for a line on stdin.
 */
import process from "node:process";
import { join } from "node:path";
import { systemClock } from "../../src/core/mod.ts";
import { JsonStore } from "../../src/plugins/json_store.ts";
import { Networks } from "../../src/plugins/networks.ts";
import type { Daemon } from "../../src/plugins/plugin.ts";
import { Policies } from "../../src/plugins/policy/manager.ts";
import { TrustBook } from "../../src/plugins/trust/trust_book.ts";

const [folder = "", what = "", first = "0", last = "0", wait] = process.argv.slice(2);

/** Any peer id; the number is kept beside it. */
const PEER = "12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc6iDEp";

/** What changes, and how the number of the last change is read back. */
export interface Subject {
  change(n: number): Promise<void>;
  read(): Promise<number>;
}

/** The three files that must survive. */
export const SUBJECTS: Readonly<Record<string, (folder: string) => Subject>> = {
  trust: (folder) => {
    const open = () => new TrustBook(new JsonStore(join(folder, "trust.json")));
    const book = open();
    return {
      change: (n) => {
        const approvedAt = "2026-01-01T00:00:00.000Z";
        const entry = { peerId: PEER, nodeId: n, publicKey: "", approvedAt, mutual: true };
        return book.change(PEER, () => book.trusted.set(PEER, { ...entry, network: 0 }));
      },
      read: async () => {
        const found = open();
        await found.load();
        return found.trusted.get(PEER)?.nodeId ?? 0;
      },
    };
  },
  networks: (folder) => {
    const open = () =>
      new Networks({
        store: new JsonStore(join(folder, "networks.json")),
        selfId: () => PEER,
        publish: () => undefined,
      });
    const networks = open();
    let isLoaded = false;
    return {
      change: async (n) => {
        if (!isLoaded) await networks.load();
        isLoaded = true;
        if (networks.list().length === 0) await networks.join({ id: 1, name: "n", token: "t" });
        await networks.setTags(1, PEER, [String(n)]);
      },
      read: async () => {
        const found = open();
        await found.load();
        return Number(found.tagsOf(1, PEER)[0] ?? 0);
      },
    };
  },
  policies: (folder) => {
    const daemon = {
      peerId: () => PEER,
      peers: () => [],
      networks: () => ({ tagsOf: () => [], list: () => [], isMember: () => false }),
      trustedPeers: () => [],
    } as unknown as Daemon;
    const open = () =>
      new Policies({ daemon, clock: systemClock }, { folder: join(folder, "policies") });
    const policies = open();
    return {
      change: async (n) => {
        const rules = [{
          name: String(n),
          on: "connect",
          match: "true",
          actions: [{ type: "deny" }],
        }];
        await policies.start(0, JSON.stringify({ version: 1, rules }));
        await policies.stopAll();
      },
      read: async () => {
        const found = open();
        await found.loadPersisted();
        const text = found.get(0)?.policyJSON() ?? '{"rules":[{"name":"0"}]}';
        await found.stopAll();
        return Number(JSON.parse(text).rules[0].name);
      },
    };
  },
};

/** Where the file of a subject lies. */
export function folderOf(what: string, root: string): string {
  return what === "policies" ? join(root, "policies") : root;
}

if (import.meta.main) {
  const lines = process.stdin[Symbol.asyncIterator]();
  const subjects = what === "all" ? Object.keys(SUBJECTS) : [what];
  for (const name of subjects) {
    const subject = SUBJECTS[name]?.(folder);
    for (let n = Number(first); n <= Number(last); n++) {
      if (wait && n > Number(first)) await lines.next();
      try {
        await subject?.change(n);
        process.stdout.write(`done ${n}\n`);
      } catch (failure) {
        process.stdout.write(`failed ${name} ${n}: ${failure}\n`);
      }
    }
  }
  process.exit();
}
