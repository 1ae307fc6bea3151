import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import process from "node:process";
import { parseOsRelease, systemInfo } from "../../../src/system/system_info.ts";

const FALLBACK = { osName: "Linux", osVersion: "6.1.0" };

Deno.test("parseOsRelease() reads NAME and VERSION_ID in every way of quoting", () => {
  const table: [text: string, osName: string, osVersion: string][] = [
    ['NAME="Debian GNU/Linux"\nVERSION_ID="12"\n', "Debian GNU/Linux", "12"],
    ["NAME=Fedora\nVERSION_ID=41\n", "Fedora", "41"],
    ["NAME='Alpine Linux'\nVERSION_ID=3.20.3\n", "Alpine Linux", "3.20.3"],
    ['NAME="A \\"quoted\\" \\$name"\nVERSION_ID=""\n', 'A "quoted" $name', "6.1.0"],
    ['PRETTY_NAME="No"\nOS_NAME="No"\nNAME="Yes"\n', "Yes", "6.1.0"],
    ["# NAME=comment\nNAME=Arch Linux\n", "Linux", "6.1.0"], // unquoted blanks are no value
    ["", "Linux", "6.1.0"],
    ["\u0000\u0001 garbage = =\n", "Linux", "6.1.0"],
  ];
  for (const [text, osName, osVersion] of table) {
    assert.deepEqual(parseOsRelease(text, FALLBACK), { osName, osVersion }, text);
  }
});

Deno.test("systemInfo() tells what this machine says of itself", async () => {
  const { osName, osVersion } = await systemInfo();
  assert.ok(osName && osVersion);
  const text = await readFile("/etc/os-release", "utf8").catch(() => undefined);
  if (process.platform !== "linux" || text === undefined) return;
  assert.ok(text.includes(osName), `${osName} is not in os-release`);
});
