import { readFile, rename } from "node:fs/promises";
import * as z from "zod";
import { logger, messageOf, once, systemCode, writeDurably } from "../core/mod.ts";

const Kept = once(() =>
  z.object({
    version: z.literal(1),
    services: z.array(
      z.object({ service: z.string(), target: z.string(), allow: z.array(z.string()).readonly() }),
    ),
    ports: z.array(
      z.object({
        ...{ peerId: z.string(), address: z.string() },
        ...{ service: z.string(), listen: z.string() },
      }),
    ),
  })
);

/** What outlives a restart. */
export type KeptForwards = Omit<z.output<ReturnType<typeof Kept>>, "version">;

const log = logger("forward");

/** Reads the file; one that cannot be read is put aside, so that nothing in it is lost. */
export async function loadForwards(path: string): Promise<KeptForwards> {
  try {
    const json: unknown = JSON.parse(await readFile(path, "utf8"));
    const { services, ports } = Kept().parse(json);
    return { services, ports };
  } catch (failure) {
    if (systemCode(failure) !== "ENOENT") {
      const aside = `${path}.damaged`;
      log.error("Forwards cannot be read and are put aside", { aside, reason: messageOf(failure) });
      await rename(path, aside).catch(() => undefined);
    }
    return { services: [], ports: [] };
  }
}

/** Writes the file. @throws if the disk does not take it. */
export async function saveForwards(path: string, kept: KeptForwards): Promise<void> {
  await writeDurably(path, `${JSON.stringify({ version: 1, ...kept }, null, 2)}\n`);
}
