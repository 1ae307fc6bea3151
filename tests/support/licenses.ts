import { writeFileSync } from "node:fs";
import { join } from "node:path";

/** Stand-ins for the project's licences, for packages made by tests; returns the folder. */
export function licenses(folder: string): string {
  for (const name of ["LICENSE-APACHE", "LICENSE-MIT"]) {
    writeFileSync(join(folder, name), `${name} of a test\n`);
  }
  return folder;
}
