/** `almenad bugreport`: one archive that helps whoever is to help, and gives nothing away. */
import { writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import { DaemonError, messageOf } from "../../core/mod.ts";
import { tarGz } from "../bugreport/archive.ts";
import { collect } from "../bugreport/contents.ts";
import { type CommandContext, type CommandOptions, print } from "../command_context.ts";
import { EXIT } from "../exit_codes.ts";
import { bytes } from "../terminal.ts";

/** Lines of the log, unless another number is asked for. */
const LINES = 2_000;

/** Writes the report, and says what is in it and where it lies. */
export async function bugreport(context: CommandContext, options: CommandOptions): Promise<number> {
  const lines = linesOf(options["lines"] ?? LINES);
  const now = Date.now();
  const files = await collect(context, { lines });
  const archive = await tarGz(files, now);
  const stamp = new Date(now).toISOString().slice(0, 19).replaceAll(/[-:]/g, "").replace("T", "-");
  const path = resolve(String(options["output"] ?? `almenad-bugreport-${stamp}.tar.gz`));
  await write(path, archive);
  const listed = files.map(({ name, text }) => ({
    name,
    bytes: new TextEncoder().encode(text).length,
  }));
  print(context, { path, bytes: archive.byteLength, files: listed }, () =>
    [
      `Wrote ${path} (${bytes(archive.byteLength)})`,
      ...listed.map((file) => `  ${file.name.padEnd(14)} ${bytes(file.bytes)}`),
      "Secrets, peer ids, addresses and the names of user and machine are taken out; README.txt in",
      "it says how. Names of items and files are not: look through it before you give it away.",
    ].join("\n"));
  return EXIT.ok;
}

async function write(path: string, archive: Uint8Array): Promise<void> {
  try {
    await writeFile(path, archive, { flag: "wx", mode: 0o600 });
  } catch (cause) {
    throw new DaemonError(
      "permission_denied",
      `Cannot write ${path}: ${messageOf(cause)}; name another file with --output`,
      { cause },
    );
  }
}

function linesOf(text: unknown): number {
  const count = Number(text);
  if (Number.isInteger(count) && count >= 0 && count <= 100_000) return count;
  throw new DaemonError("invalid_argument", `Cannot take "${text}" lines: give 0 to 100000`);
}
