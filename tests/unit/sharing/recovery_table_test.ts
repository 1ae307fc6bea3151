import assert from "node:assert/strict";
import { type Observed, planRecovery } from "../../../src/sharing/intent.ts";

type Case = readonly [state: Observed["state"], sides: string, steps: string, result: string];
// Contract 5.4, row by row: L I B, lower case for a side folder without the mark.
const ROWS: readonly Case[] = [
  ["None", "L I B", "delete installing, delete backup", "as before"],
  ["None", "L i b", "", "as before"],
  ["None", "- I B", "restore backup, delete installing", "as before"],
  ["None", "- i b", "", "none"],
  ["None", "- - -", "", "none"],
  ["Installing", "- I -", "delete installing", "none"],
  ["Installing", "- i -", "delete installing", "none"],
  ["Installing", "- - -", "", "none"],
  ["Installing", "L - -", "", "to"],
  ["Updating", "L I -", "delete installing", "from"],
  ["Updating", "- I B", "restore backup, delete installing", "from"],
  ["Updating", "- i b", "restore backup, delete installing", "from"],
  ["Updating", "- - B", "restore backup", "from"],
  ["Updating", "L - B", "delete backup", "to"],
  ["Updating", "- I -", "delete installing", "none"],
  ["Updating", "- - -", "", "none"],
  ["Uninstalling", "L - -", "park local, delete backup", "none"],
  ["Uninstalling", "L - B", "delete backup, park local, delete backup", "none"],
  ["Uninstalling", "- - B", "delete backup", "none"],
  ["Uninstalling", "- - -", "", "none"],
];
for (const [state, sides, steps, result] of ROWS) {
  Deno.test(`planRecovery() for ${state} with ${sides}`, () => {
    const [local, installing, backup] = sides.split(" ");
    const side = (text: string | undefined) =>
      text === "-" ? "none" : text === text?.toUpperCase() ? "owned" : "foreign";
    const plan = planRecovery({
      ...{ state, local: local === "L", installing: side(installing), backup: side(backup) },
    });
    assert.deepEqual([plan.steps.join(", "), plan.result], [steps, result]);
  });
}
