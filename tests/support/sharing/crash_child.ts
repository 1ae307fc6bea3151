/** Runs one transaction and dies at a step: `crash_child.ts <folder> <transaction|recover> <step> <fault>`. */
import process from "node:process";
import { perform, recover, type Transaction } from "./crash_scene.ts";
import { type Fault, FaultFiles } from "./fault_files.ts";

const [folder = "", what = "", step = "0", fault = "none"] = process.argv.slice(2);
const files = new FaultFiles(Number(step), fault as Fault);
if (what === "recover") await recover(folder, files);
else await perform(folder, what as Transaction, files);
process.stdout.write(`${files.steps.length}\n`);
