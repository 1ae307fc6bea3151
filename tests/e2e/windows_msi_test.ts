/** The packages for Windows, looked at from Linux: tables, archive, scripts. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Buffer } from "node:buffer";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { unzipSync } from "fflate";
import { Language, Parser } from "web-tree-sitter";
import { buildMsi, type WindowsPackageInit } from "../../installers/windows/build_msi.ts";
import { buildZip } from "../../installers/windows/build_zip.ts";
import { runTool } from "../../installers/run_tool.ts";
import {
  SERVICE_ACCOUNT,
  SERVICE_DESCRIPTION,
  SERVICE_DISPLAY_NAME,
  SERVICE_RUN_COMMAND,
  windowsServices,
} from "../../src/system/windows_sc.ts";
import type { ServiceTarget } from "../../src/system/service_plan.ts";
import { WINDOWS_SERVICE_NAME } from "../../src/system/windows_service.ts";
import { licenses } from "../support/licenses.ts";
import { program, testNeeding } from "../support/needs.ts";

const NEEDS = [program("wixl"), program("msibuild"), program("msiinfo"), program("msiextract")];
const WINDOWS = fileURLToPath(new URL("../../installers/windows/", import.meta.url));

const TARGET: ServiceTarget = {
  platform: "windows",
  executable: "C:\\Program Files\\Almena\\almenad.exe",
  args: [],
  home: "C:\\Users\\somebody",
  env: {},
  uid: 0,
};

/** A folder with what packages are made of; the executable is real where one is given. */
class Workshop implements AsyncDisposable {
  private constructor(readonly folder: string) {}

  static async open(): Promise<Workshop> {
    const workshop = new Workshop(await mkdtemp(join(tmpdir(), "almenad-packages-")));
    licenses(workshop.folder);
    writeFileSync(join(workshop.folder, "stand-in.exe"), "MZ, but no program");
    return workshop;
  }

  init(version: string): WindowsPackageInit {
    const executable = process.env["ALMENAD_WINDOWS_EXE"] ?? join(this.folder, "stand-in.exe");
    return { executable, version, outDir: join(this.folder, "out"), licenseDir: this.folder };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.folder, { recursive: true, force: true });
  }
}

/** The rows of a table, by column. */
async function table(msi: string, name: string): Promise<Record<string, string>[]> {
  const text = await runTool({ argv: ["msiinfo", "export", msi, name], remedy: "" });
  const [columns = [], , , ...rows] = text.trimEnd().split(/\r?\n/).map((row) => row.split("\t"));
  return rows.map((row) =>
    Object.fromEntries(columns.map((column, at) => [column, row[at] ?? ""]))
  );
}

testNeeding(
  NEEDS,
  "buildMsi() registers the service as the daemon's own command does",
  async () => {
    await using workshop = await Workshop.open();
    const msi = await buildMsi(workshop.init("2026.1.1-develop"));
    assert.deepEqual(readdirSync(join(workshop.folder, "out")), [
      "almenad-2026.1.1-develop-windows-x64.msi",
    ]);

    const [service, ...others] = await table(msi, "ServiceInstall");
    assert.deepEqual(others, []);
    assert.equal(service?.["Name"], WINDOWS_SERVICE_NAME);
    assert.equal(service["DisplayName"], SERVICE_DISPLAY_NAME);
    assert.equal(service["Description"], SERVICE_DESCRIPTION);
    assert.equal(service["StartName"], SERVICE_ACCOUNT);
    assert.equal(service["Arguments"], SERVICE_RUN_COMMAND);
    assert.equal(service["ServiceType"], "16", "SERVICE_WIN32_OWN_PROCESS");
    assert.equal(service["StartType"], "2", "SERVICE_AUTO_START");

    // Started with the package and not waited for; stopped, waited for and deleted when it goes.
    const controls = (await table(msi, "ServiceControl")).map((row) =>
      [row["Name"], row["Event"], row["Wait"]].join(" ")
    );
    const [start, stop] = [0x1, 0x2 | 0x20 | 0x80];
    assert.deepEqual(controls.sort(), [`AlmenaD ${start} 0`, `AlmenaD ${stop} 1`]);

    const recovery = (await table(msi, "CustomAction")).find((row) =>
      row["Action"] === "SetRecovery"
    );
    const { steps } = windowsServices.install(TARGET, false);
    const commands = steps.flatMap((step) => step.kind === "command" ? [step.argv.join(" ")] : []);
    assert.ok(commands.includes(`sc ${recovery?.["Target"]}`), commands.join("\n"));
  },
);

testNeeding(NEEDS, "buildMsi() puts in the program and nothing of the data folder", async () => {
  await using workshop = await Workshop.open();
  const init = workshop.init("2026.1.1-develop");
  const msi = await buildMsi(init);
  const names = (await table(msi, "File")).map((row) => row["FileName"]);
  assert.deepEqual(names, ["almenad.exe", "LICENSE-APACHE.txt", "LICENSE-MIT.txt"]);
  const folders = (await table(msi, "Directory")).map((row) => row["Directory"]).sort();
  assert.deepEqual(folders, ["INSTALLDIR", "ProgramFiles64Folder", "TARGETDIR"]);
  assert.deepEqual(await table(msi, "Registry"), []);
  assert.deepEqual(await table(msi, "RemoveFile"), []);
  const [path] = await table(msi, "Environment");
  assert.deepEqual([path?.["Name"], path?.["Value"]], ["=-*PATH", "[~];[INSTALLDIR]"]);

  const extracted = join(workshop.folder, "extracted");
  await runTool({ argv: ["msiextract", "--directory", extracted, msi], remedy: "" });
  assert.deepEqual(
    readFileSync(join(extracted, "Almena", "almenad.exe")),
    readFileSync(init.executable),
  );
});

testNeeding(NEEDS, "buildMsi() replaces every older package and refuses a newer one", async () => {
  await using workshop = await Workshop.open();
  const versions = ["2026.1.1-develop", "2026.1.1"];
  const msis = await Promise.all(versions.map((version) => buildMsi(workshop.init(version))));
  const products = await Promise.all(msis.map(async (msi) => {
    const rows = await table(msi, "Property");
    return Object.fromEntries(rows.map((row) => [row["Property"] ?? "", row["Value"]]));
  }));
  assert.deepEqual(products.map((product) => product["ProductVersion"]), [
    "26.1.1000",
    "26.1.1999",
  ]);
  assert.equal(products[0]?.["UpgradeCode"], products[1]?.["UpgradeCode"]);
  assert.notEqual(products[0]?.["ProductCode"], products[1]?.["ProductCode"]);

  const upgrades = await table(msis[1] ?? "", "Upgrade");
  const [older, newer] = ["OLDER_VERSION", "NEWER_VERSION"].map((name) =>
    upgrades.find((row) => row["ActionProperty"] === name)
  );
  // Attributes: 2 only detects, 256 includes the lower end; the upper end is never included.
  assert.deepEqual([older?.["VersionMin"], older?.["VersionMax"], older?.["Attributes"]], [
    ...["0.0.0", "26.1.2000", "256"],
  ]);
  assert.deepEqual([newer?.["VersionMin"], newer?.["VersionMax"], newer?.["Attributes"]], [
    ...["26.1.2000", "", "258"],
  ]);
  const conditions = (await table(msis[1] ?? "", "LaunchCondition")).map((row) => row["Condition"]);
  assert.deepEqual(conditions, ["NOT NEWER_VERSION"]);
});

testNeeding(NEEDS, "buildMsi() runs its actions where Windows Installer allows them", async () => {
  await using workshop = await Workshop.open();
  const msi = await buildMsi(workshop.init("2026.1.1"));
  const rows = await table(msi, "InstallExecuteSequence");
  const at = (action: string) => {
    const row = rows.find((each) => each["Action"] === action);
    assert.ok(row, `${action} is missing`);
    return Number(row["Sequence"]);
  };
  // Deferred actions stand between InstallInitialize and InstallFinalize; files go once the process has.
  const order = [
    ...["FindRelatedProducts", "LaunchConditions", "CostFinalize", "FindSc", "InstallValidate"],
    ...["RemoveExistingProducts", "InstallInitialize", "StopServices", "DeleteServices"],
    ...["AwaitExit", "CloseFirewall", "RemoveEnvironmentStrings", "RemoveFiles", "InstallFiles"],
    ...["WriteEnvironmentStrings", "InstallServices", "SetRecovery", "OpenFirewall"],
    ...["StartServices", "RegisterProduct", "PublishProduct", "InstallFinalize"],
  ];
  const places = order.map(at);
  assert.deepEqual(places, [...places].sort((one, other) => one - other));
  const summary = await runTool({ argv: ["msiinfo", "suminfo", msi], remedy: "" });
  assert.match(summary, /Template: x64;1033/);
});

Deno.test("buildMsi() without msitools says how to get them", async () => {
  await using workshop = await Workshop.open();
  const { PATH } = process.env;
  process.env["PATH"] = workshop.folder;
  try {
    await assert.rejects(buildMsi(workshop.init("2026.1.1")), {
      code: "unavailable",
      message: /wixl.*apt-get install msitools wixl/,
    });
  } finally {
    process.env["PATH"] = PATH;
  }
});

Deno.test("buildMsi() names a missing executable", async () => {
  await using workshop = await Workshop.open();
  const init = { ...workshop.init("2026.1.1"), executable: join(workshop.folder, "nothing.exe") };
  await assert.rejects(buildMsi(init), { code: "not_found", message: /nothing\.exe/ });
  await assert.rejects(buildZip(init), { code: "not_found", message: /nothing\.exe/ });
});

Deno.test("buildZip() holds executable, scripts and licences, the same bytes each time", async () => {
  await using workshop = await Workshop.open();
  const init = workshop.init("2026.1.1-develop");
  const zip = await buildZip(init);
  const bytes = readFileSync(zip);
  const entries = unzipSync(bytes);
  const folder = "almenad-2026.1.1-develop-windows-x64/";
  assert.deepEqual(Object.keys(entries).filter((name) => name !== folder).sort(), [
    `${folder}LICENSE-APACHE.txt`,
    `${folder}LICENSE-MIT.txt`,
    `${folder}almenad.exe`,
    `${folder}install-service.ps1`,
    `${folder}uninstall-service.ps1`,
  ]);
  const executable = Buffer.from(entries[`${folder}almenad.exe`] ?? []);
  assert.ok(executable.equals(readFileSync(init.executable)));
  assert.ok(bytes.equals(readFileSync(await buildZip(init))));
});

// No PowerShell runs here: this proves that the scripts are well-formed, not that they work.
Deno.test("the PowerShell scripts parse, in ASCII", async () => {
  await Parser.init();
  const grammar = "tree-sitter-powershell/tree-sitter-powershell.wasm";
  const language = await Language.load(fileURLToPath(import.meta.resolve(grammar)));
  const parser = new Parser();
  parser.setLanguage(language);
  const scripts = readdirSync(WINDOWS).filter((name) => name.endsWith(".ps1"));
  assert.equal(scripts.length, 3);
  for (const script of scripts) {
    const text = readFileSync(join(WINDOWS, script), "utf8");
    // Windows PowerShell takes anything else for the machine's old code page.
    assert.match(text, /^[\x20-\x7e\r\n]*$/, `${script} is not ASCII`);
    const tree = parser.parse(text);
    assert.equal(tree?.rootNode.hasError, false, `${script} does not parse`);
    tree?.delete();
  }
  parser.delete();
});
