import * as z from "zod";
import { action, DaemonError } from "../core/mod.ts";
import type { Components } from "./components.ts";

/** A code that lets one browser in. */
export const pageCode = action({
  name: "page.code",
  summary: "A code that signs one browser in to the page, once and within five minutes",
  isOwnersAlone: true,
  input: () => z.strictObject({}),
  output: () =>
    z.object({
      code: z.string(),
      expires_at_ms: z.number().describe("Milliseconds since 1970"),
      url: z.string().describe("The page's address, with the code behind #"),
    }),
  run: (_input, { daemon, pageCodes }: Pick<Components, "daemon" | "pageCodes">) => {
    const address = reachable(daemon.restAddress());
    if (address === "") {
      const remedy = "look at almenad status, then restart the daemon";
      throw new DaemonError("unavailable", `Cannot open the page: HTTP is not served; ${remedy}`);
    }
    const { code, expiresAtMs } = pageCodes.createCode();
    const url = `http://${address}/#code=${code}`;
    return { code, expires_at_ms: expiresAtMs, url };
  },
});

// A listener on every address is reached at loopback's.
function reachable(address: string): string {
  return address.replace(/^0\.0\.0\.0:/, "127.0.0.1:").replace(/^\[::\]:/, "[::1]:");
}
