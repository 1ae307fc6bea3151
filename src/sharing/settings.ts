import { readFile } from "node:fs/promises";
import { join } from "node:path";
import * as z from "zod";
import { DaemonError, messageOf, once, systemCode, writeDurably } from "../core/mod.ts";

const SettingsJson = once(() => z.object({ dir: z.string().min(1).optional() }));

/** What was chosen while the daemon ran; `data/sharing.json`. */
export interface SharingSettings {
  readonly dir?: string | undefined;
}

/** @throws {DaemonError} `data_loss` if the file is damaged, naming it. */
export async function readSettings(dataDir: string): Promise<SharingSettings> {
  const path = join(dataDir, "sharing.json");
  try {
    const json: unknown = JSON.parse(await readFile(path, "utf8"));
    return SettingsJson().parse(json);
  } catch (cause) {
    if (systemCode(cause) === "ENOENT") return {};
    throw new DaemonError(
      "data_loss",
      `Cannot read ${path}: ${messageOf(cause)}; move it away to use the default folder`,
      { cause },
    );
  }
}

/** Replaces the file. */
export async function writeSettings(dataDir: string, settings: SharingSettings): Promise<void> {
  await writeDurably(join(dataDir, "sharing.json"), `${JSON.stringify(settings)}\n`);
}
