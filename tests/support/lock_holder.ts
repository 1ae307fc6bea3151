/** Owns the data folder that is its argument, says so, and waits to be ended. */
import { join } from "node:path";
import process from "node:process";
import { DataLock } from "../../src/system/data_lock.ts";

const [base = "."] = process.argv.slice(2);
new DataLock({ base, daemon: join(base, "daemon") }).acquire();
process.stdout.write("locked\n");
setInterval(() => undefined, 60_000);
