import assert from "node:assert/strict";
import { type Observed, planRecovery } from "../../../src/sharing/intent.ts";

type Case = readonly [state: string, sides: string, steps: string, result: string];
// Contract 5.4, row by row: state and phase; L I B, lower case for a side folder without the mark.
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
  // The log of an installation names no backup: one without the mark is somebody else's.
  ["Installing", "- - b", "", "none"],
  ["Installing", "- I b", "delete installing", "none"],
  ["Installing", "L - b", "", "to"],
  ["Updating unpack", "L I -", "delete installing", "from"],
  ["Updating unpack", "L - -", "", "from"],
  ["Updating swap", "L I -", "delete installing", "from"],
  ["Updating swap", "L - -", "", "to"],
  ["Updating swap", "- I B", "restore backup, delete installing", "from"],
  ["Updating swap", "- i b", "restore backup, delete installing", "from"],
  ["Updating swap", "- - B", "restore backup", "from"],
  // Ours is the backup: local is somebody else's, and neither of them is deleted.
  ["Updating swap", "L I B", "disown backup, delete installing", "none"],
  ["Updating swap", "L i b", "disown backup, delete installing", "none"],
  ["Updating unpack", "L I B", "delete installing, delete backup", "from"],
  ["Updating swap", "L - B", "delete backup", "to"],
  ["Updating swap", "- I -", "delete installing", "none"],
  ["Updating swap", "- - -", "", "none"],
  ["Uninstalling", "L - -", "park local, delete backup", "none"],
  ["Uninstalling", "L - B", "delete backup, park local, delete backup", "none"],
  ["Uninstalling", "- - B", "delete backup", "none"],
  ["Uninstalling", "- - -", "", "none"],
  // Nor does the log of a removal name what is being installed.
  ["Uninstalling", "L i -", "park local, delete backup", "none"],
  ["Uninstalling", "- i b", "delete backup", "none"],
];
for (const [state, sides, steps, result] of ROWS) {
  Deno.test(`planRecovery() for ${state} with ${sides}`, () => {
    const [local, installing, backup] = sides.split(" ");
    const [name, phase = null] = state.split(" ") as [Observed["state"], Observed["phase"]?];
    const side = (text: string | undefined) =>
      text === "-" ? "none" : text === text?.toUpperCase() ? "owned" : "foreign";
    const plan = planRecovery({
      ...{
        state: name,
        phase,
        local: local === "L",
        installing: side(installing),
        backup: side(backup),
      },
    });
    assert.deepEqual([plan.steps.join(", "), plan.result], [steps, result]);
  });
}
