import * as z from "zod";
import { query } from "../core/mod.ts";
import type { Components } from "./components.ts";

/** The instances of this user; each is a process of its own. */
export const listInstances = query({
  name: "instances.list",
  summary: "All instances below the same root folder, and which of them run",
  input: () => z.strictObject({}),
  output: () =>
    z.object({
      instances: z.array(z.object({
        name: z.string().describe("Empty for the default instance"),
        state: z.enum(["running", "stopped"]),
        pid: z.number().optional(),
        data_dir: z.string(),
        is_self: z.boolean(),
      })),
    }),
  run: async (_input, { daemon, instances }: Pick<Components, "daemon" | "instances">) => ({
    instances: (await instances()).map(({ name, state, pid, dataDir }) => ({
      name,
      state,
      ...(pid === undefined ? {} : { pid }),
      data_dir: dataDir,
      is_self: name === daemon.instance,
    })),
  }),
});
