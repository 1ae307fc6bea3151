/** `almenad daemon install` and its kin for Windows, carried out in Wine. */
import assert from "node:assert/strict";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { planInstall, ServiceManager } from "../../src/system/service_manager.ts";
import type { CommandAnswer, ServiceTarget } from "../../src/system/service_plan.ts";
import { denort, WINDOWS_TARGET, windowsDaemon } from "../support/compiler.ts";
import { fullSize, testNeeding } from "../support/needs.ts";
import { waitForService } from "../support/wine/services.ts";
import { wine, WineMachine } from "../support/wine/wine_machine.ts";

const SERVICE = "AlmenaD";
const FOLDER = "Program Files/Almena";
/** ERROR_SERVICE_DOES_NOT_EXIST; of an exit code of Windows, eight bits reach us through Wine. */
const NO_SUCH_SERVICE = 1060;

const target: ServiceTarget = {
  platform: "windows",
  executable: "C:\\Program Files\\Almena\\almenad.exe",
  args: [],
  home: "C:\\users\\root",
  env: { SystemRoot: "C:\\windows" },
  uid: 0,
};

/** Runs the plan's programs in Wine, whose `sc` knows "query" alone and gives no process ids. */
function programsOf(windows: WineMachine) {
  return async (argv: readonly string[]): Promise<CommandAnswer> => {
    const [name = "", ...args] = argv.map((word) => word === "queryex" ? "query" : word);
    const { code, stdout, stderr } = await windows.run(name, ...args);
    const isMissing = code === (NO_SUCH_SERVICE & 0xff);
    return { code: isMissing ? NO_SUCH_SERVICE : code ?? -1, stdout, stderr };
  };
}

testNeeding(
  [wine, denort(WINDOWS_TARGET), fullSize()],
  "ServiceManager installs, starts and removes the Windows service",
  async () => {
    const folder = mkdtempSync(join(tmpdir(), "almenad-plan-"));
    try {
      await using windows = await WineMachine.start();
      mkdirSync(join(windows.driveC, FOLDER), { recursive: true });
      const executable = windowsDaemon(join(folder, "almenad.exe"));
      copyFileSync(executable, join(windows.driveC, FOLDER, "almenad.exe"));
      const manager = new ServiceManager({ run: programsOf(windows) }, { target });
      assert.equal((await manager.status()).state, "not_installed");

      assert.equal((await manager.install()).done, "installed");
      await waitForService(windows, SERVICE, "RUNNING");
      assert.equal((await manager.status()).state, "running");

      assert.equal((await manager.uninstall()).done, "uninstalled");
      assert.equal((await manager.status()).state, "not_installed");
      assert.equal((await manager.uninstall()).done, "nothing");
    } finally {
      rmSync(folder, { recursive: true });
    }
  },
);

testNeeding(
  [wine, fullSize()],
  "planInstall() for Windows makes a service with the account it names",
  async () => {
    await using windows = await WineMachine.start();
    const create = planInstall(target).steps[0];
    assert.ok(create?.kind === "command");
    const [name = "", ...args] = create.argv;
    assert.equal((await windows.run(name, ...args)).code, 0);
    const key = `HKLM\\System\\CurrentControlSet\\Services\\${SERVICE}`;
    const { stdout } = await windows.run("reg", "query", key);
    assert.match(
      stdout,
      /ImagePath\s+\w+\s+"C:\\Program Files\\Almena\\almenad\.exe" service-run\n/,
    );
    assert.match(stdout, /ObjectName\s+REG_SZ\s+NT AUTHORITY\\LocalService\n/);
    assert.match(stdout, /Start\s+REG_DWORD\s+0x2\n/);
  },
);
