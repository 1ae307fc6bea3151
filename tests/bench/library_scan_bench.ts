/**
 * Large libraries: 10,000 unchanged items are looked at again, and the manifest of an item of 100,000 files is
 * served, read and merged, while a timer watches the event loop. Promised: below 1 s without hashing, and a
 * 99th percentile of the loop's delay below 50 ms.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { LibraryNode } from "../support/sharing/library_node.ts";
import { percentile, printReport } from "./report.ts";

const ITEMS = 10_000;
const FILES = Number(Deno.env.get("ALMENAD_BENCH_FILES") ?? 100_000);
const PERIOD_MS = 5;

/** How late a timer fires while something runs. */
async function delays(work: () => Promise<unknown>): Promise<number[]> {
  const late: number[] = [];
  let due = performance.now() + PERIOD_MS;
  const timer = setInterval(() => {
    const now = performance.now();
    late.push(Math.max(0, now - due));
    due = now + PERIOD_MS;
  }, PERIOD_MS);
  await work().finally(() => clearInterval(timer));
  return late;
}

await using library = await LibraryNode.start({ watch: () => ({ close: () => {} }) });
for (let index = 0; index < ITEMS; index++) {
  const root = join(library.dir, `item${index}`);
  mkdirSync(root);
  writeFileSync(join(root, "version.ini"), "version=1\n");
  writeFileSync(join(root, "a.bin"), "a");
}
await library.scanned();
const hashedBefore = library.sharing.hashed;
const times: number[] = [];
const scanDelays = await delays(async () => {
  for (let round = 0; round < 3; round++) times.push((await library.sharing.scan()).ms);
});
await using seed = await LibraryNode.start({ watch: () => ({ close: () => {} }) });
const big = join(seed.dir, "big");
for (let index = 0; index < FILES; index++) {
  const folder = join(big, `folder${index % 100}`);
  if (index < 100) mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, `file${index}`), "x");
}
writeFileSync(join(big, "version.ini"), "version=1\n");
await seed.scanned();
await using reader = await LibraryNode.start();
await reader.connect(seed);
await reader.knows("big");
let files = 0;
const begun = performance.now();
const manifestDelays = await delays(async () => {
  const signal = AbortSignal.timeout(120_000);
  files = (await reader.sharing.actions.fetchLatest("big", signal)).files.length;
});
const ms = performance.now() - begun;
printReport("Large libraries", [
  {
    case: `rescan of ${ITEMS} items`,
    "best ms": Math.min(...times),
    "hashed files": library.sharing.hashed - hashedBefore,
    "loop delay p99 ms": percentile(scanDelays, 0.99),
    "loop delay max ms": Math.max(...scanDelays),
  },
  {
    case: `manifest of ${files} files, both ends in one process`,
    "best ms": ms,
    "loop delay p99 ms": percentile(manifestDelays, 0.99),
    "loop delay max ms": Math.max(...manifestDelays),
  },
], ["Promised: rescan below 1,000 ms, p99 delay below 50 ms."]);
