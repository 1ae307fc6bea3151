import type { PeerRef, Registrar, TrustChecker } from "../plugin.ts";

/** Who is trusted without being asked: the allow list of the configuration, contract 4.4. */
export function register({ registerPlugin }: Registrar): void {
  registerPlugin("trustedagents", () => ({
    name: "trustedagents",
    init: (daemon) => {
      const checker: TrustChecker = {
        isTrusted: (peer) => findAllowed(allowListOf(daemon.config()), peer),
      };
      daemon.registerTrustChecker(checker);
    },
    shutdown: () => undefined,
  }));
}

/**
 * Looks a peer up in an allow list; its entries are `<peer id>` or `<name>=<peer id>`. A number is
 * never found, because two peers may share one.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * const list = ["ada=12D3KooWA", "12D3KooWB"];
 * assert.deepEqual(findAllowed(list, "12D3KooWA"), { name: "ada", ok: true });
 * assert.deepEqual(findAllowed(list, "12D3KooWC"), { name: "", ok: false });
 * ```
 */
export function findAllowed(list: readonly string[], peer: PeerRef): { name: string; ok: boolean } {
  for (const entry of list) {
    const [name = "", peerId = name] = entry.split("=", 2);
    if (typeof peer === "string" && peerId === peer) return { name, ok: true };
  }
  return { name: "", ok: false };
}

function allowListOf(config: Readonly<Record<string, unknown>>): readonly string[] {
  const { allow } = config;
  return Array.isArray(allow) ? allow.map(String) : [];
}
