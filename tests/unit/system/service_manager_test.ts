import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runCommand } from "../../../src/system/command.ts";
import { planText } from "../../../src/system/plan_text.ts";
import {
  planInstall,
  planUninstall,
  ServiceManager,
  servicePlatform,
} from "../../../src/system/service_manager.ts";
import type {
  CommandAnswer,
  ServicePlan,
  ServiceTarget,
} from "../../../src/system/service_plan.ts";
import { launchd } from "../../../src/system/launchd.ts";
import { renderUnit, systemd, UNIT_NAME } from "../../../src/system/systemd.ts";
import { quoteArgument, windowsServices } from "../../../src/system/windows_sc.ts";
import { program, testNeeding } from "../../support/needs.ts";

const LINUX: ServiceTarget = {
  platform: "linux",
  executable: "/home/ada/.local/bin/almenad",
  args: [],
  home: "/home/ada",
  env: {},
  uid: 1000,
};
const DARWIN: ServiceTarget = {
  ...LINUX,
  platform: "darwin",
  executable: "/Users/ada/.local/bin/almenad",
  home: "/Users/ada",
  uid: 501,
};
const WINDOWS: ServiceTarget = {
  ...LINUX,
  platform: "windows",
  executable: "C:\\Program Files\\Almena\\almenad.exe",
  home: "C:\\Users\\ada",
  uid: 0,
};
/** Everything a path may hold that unit files, property lists and shells give a meaning to. */
const AWKWARD = `/opt/a b/50%/$HOME/"q"/it's/<&>/back\\slash/almenad`;

function written(plan: ServicePlan): { path: string; mode: number; content: string } {
  const step = plan.steps.find((each) => each.kind === "write");
  assert.ok(step?.kind === "write");
  return step;
}

function commands(plan: ServicePlan): string[] {
  return plan.steps.flatMap((step) => step.kind === "command" ? [step.argv.join(" ")] : []);
}

const READ_PLIST =
  "import json, plistlib, sys; print(json.dumps(plistlib.loads(sys.stdin.buffer.read())))";

/** Output of a program, passed through a line of Python. */
async function output(command: string, args: string[], python: string): Promise<string> {
  const pipe = ["-c", `"$@" | python3 -c '${python}'`, "sh", command, ...args];
  const { code, stdout } = await new Deno.Command("sh", { args: pipe }).output();
  assert.equal(code, 0);
  return new TextDecoder().decode(stdout);
}

async function withFolder(run: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "almenad-service-"));
  try {
    await run(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** A service system that answers by table; the longest matching beginning of the command counts. */
function fakeSystem(answers: Record<string, Partial<CommandAnswer>> = {}) {
  const ran: string[] = [];
  const run = (argv: readonly string[]): Promise<CommandAnswer> => {
    const line = argv.join(" ");
    ran.push(line);
    const key = Object.keys(answers).filter((each) => line.startsWith(each))
      .sort((a, b) => b.length - a.length)[0];
    const answer = key === undefined ? {} : answers[key];
    return Promise.resolve({ code: 0, stdout: "", stderr: "", ...answer });
  };
  return { ran, run };
}

Deno.test("servicePlatform() knows process.platform's names and refuses others", () => {
  assert.equal(servicePlatform("win32"), "windows");
  assert.equal(servicePlatform("windows"), "windows");
  assert.equal(servicePlatform("darwin"), "darwin");
  assert.equal(servicePlatform("linux"), "linux");
  assert.throws(() => servicePlatform("freebsd"), { code: "invalid_argument" });
  assert.throws(() => servicePlatform("toString"), { code: "invalid_argument" });
});

Deno.test("planInstall() on Linux writes the user unit and starts it", () => {
  const plan = planInstall(LINUX);
  const unit = written(plan);
  assert.equal(unit.path, "/home/ada/.config/systemd/user/almenad.service");
  assert.equal(unit.mode, 0o644);
  for (
    const line of [
      "Type=notify",
      "NotifyAccess=main",
      "ExecStart=/home/ada/.local/bin/almenad",
      "ExecReload=/bin/kill -HUP $MAINPID",
      "Restart=on-failure",
      "RestartPreventExitStatus=2 3 5 6",
      "WatchdogSec=60",
      "WantedBy=default.target",
    ]
  ) assert.ok(unit.content.split("\n").includes(line), line);
  assert.ok(!unit.content.includes("MemoryDenyWriteExecute"));
  assert.deepEqual(commands(plan), [
    "systemctl --user show --property=Version",
    "systemctl --user daemon-reload",
    "systemctl --user enable almenad.service",
    "systemctl --user reset-failed almenad.service",
    "systemctl --user restart almenad.service",
  ]);
  assert.ok(plan.notes.some((note) => note.includes("loginctl enable-linger")));
});

Deno.test("planInstall() on Linux honours XDG_CONFIG_HOME, XDG_DATA_HOME and extra arguments", () => {
  const env = { XDG_CONFIG_HOME: "/cfg", XDG_DATA_HOME: "/my data/50%" };
  const unit = written(planInstall({ ...LINUX, env, args: ["--instance", "a b"] }));
  assert.equal(unit.path, "/cfg/systemd/user/almenad.service");
  assert.ok(unit.content.includes('Environment="XDG_DATA_HOME=/my data/50%%"\n'));
  assert.ok(unit.content.includes('ExecStart=/home/ada/.local/bin/almenad --instance "a b"\n'));
});

Deno.test("planInstall() on Linux leaves a packaged unit alone and enables it", () => {
  const plan = planInstall({ ...LINUX, executable: "/usr/bin/almenad", hasPackagedUnit: true });
  assert.ok(plan.steps.every((step) => step.kind !== "write"));
  const own = { kind: "remove", path: "/home/ada/.config/systemd/user/almenad.service" };
  assert.deepEqual(plan.steps.filter((step) => step.kind !== "command"), [own]);
  assert.ok(commands(plan).includes("systemctl --user enable almenad.service"));
});

Deno.test("planInstall() refuses what would break a file", () => {
  assert.throws(() => planInstall({ ...LINUX, executable: AWKWARD }), { code: "invalid_argument" });
  for (const target of [LINUX, DARWIN, WINDOWS]) {
    const broken = { ...target, args: ["a\nExecStartPre=/bin/evil"] };
    assert.throws(() => planInstall(broken), { code: "invalid_argument" });
  }
});

testNeeding(
  [program("systemd-analyze")],
  "renderUnit() passes systemd-analyze verify without a word",
  () =>
    withFolder(async (folder) => {
      const almenad = join(folder, "50% $HOME ${HOME} almenad");
      await writeFile(almenad, "#!/bin/sh\n", { mode: 0o755 });
      for (const args of [[], ["--data-dir", AWKWARD, ""]]) {
        const unit = join(folder, UNIT_NAME);
        const environment = { XDG_DATA_HOME: AWKWARD };
        await writeFile(unit, renderUnit({ command: [almenad, ...args], environment }));
        const { code, stdout, stderr } = await new Deno.Command("systemd-analyze", {
          args: ["--user", "verify", unit],
          env: { XDG_RUNTIME_DIR: folder },
        }).output();
        const decoder = new TextDecoder();
        assert.equal(decoder.decode(stdout) + decoder.decode(stderr), "");
        assert.equal(code, 0);
      }
    }),
);

Deno.test("planInstall() on macOS replaces the agent and starts it in the user's session", () => {
  const plan = planInstall(DARWIN, true);
  const agent = written(plan);
  assert.equal(agent.path, "/Users/ada/Library/LaunchAgents/network.almena.daemon.plist");
  assert.match(agent.content, /<key>RunAtLoad<\/key>\s*<true\/>/);
  assert.match(
    agent.content,
    /<key>KeepAlive<\/key>\s*<dict>\s*<key>SuccessfulExit<\/key>\s*<false\/>/,
  );
  assert.deepEqual(commands(plan), [
    "launchctl print gui/501",
    "launchctl bootout gui/501/network.almena.daemon",
    "launchctl enable gui/501/network.almena.daemon",
    `launchctl bootstrap gui/501 ${agent.path}`,
  ]);
});

testNeeding(
  [program("plistutil"), program("python3")],
  "planInstall() on macOS writes a property list that plistutil reads back",
  () =>
    withFolder(async (folder) => {
      const path = join(folder, "agent.plist");
      const args = ["--data-dir", AWKWARD];
      await writeFile(path, written(planInstall({ ...DARWIN, executable: AWKWARD, args })).content);
      const plist = JSON.parse(await output("plistutil", ["-i", path, "-f", "bin"], READ_PLIST));
      assert.equal(plist.Label, "network.almena.daemon");
      assert.deepEqual(plist.ProgramArguments, [AWKWARD, ...args]);
      assert.equal(plist.RunAtLoad, true);
      assert.deepEqual(plist.KeepAlive, { SuccessfulExit: false });
      assert.equal(plist.Umask, 0o077);
      assert.equal(plist.StandardOutPath, "/Users/ada/Library/Logs/network.almena.daemon.log");
    }),
);

Deno.test("planInstall() on Windows creates the service, or changes the one that is there", () => {
  const binPath = '"C:\\Program Files\\Almena\\almenad.exe" service-run';
  const step = planInstall(WINDOWS).steps[0];
  assert.ok(step?.kind === "command");
  assert.deepEqual(step.argv.slice(0, 7), [
    "sc",
    "create",
    "AlmenaD",
    "binPath=",
    binPath,
    "start=",
    "auto",
  ]);
  const upgrade = commands(planInstall(WINDOWS, true));
  assert.match(upgrade[0] ?? "", /^sc stop AlmenaD$/);
  assert.match(upgrade[2] ?? "", /^sc config AlmenaD binPath= /);
  assert.ok(
    upgrade.some((line) => line.startsWith("sc failure AlmenaD reset= 86400 actions= restart/")),
  );
  assert.equal(upgrade.at(-1), "sc start AlmenaD");
});

Deno.test("quoteArgument() keeps blanks, quotes and backslashes for CommandLineToArgvW", () => {
  assert.equal(quoteArgument("plain"), "plain");
  assert.equal(quoteArgument(""), '""');
  assert.equal(quoteArgument("C:\\a b\\"), '"C:\\a b\\\\"');
  assert.equal(quoteArgument('say "hi"'), '"say \\"hi\\""');
  assert.equal(quoteArgument('end\\"'), '"end\\\\\\""');
});

Deno.test("planText() for Windows prints lines that cmd.exe takes", () => {
  const text = planText(planInstall(WINDOWS));
  assert.ok(text.includes(
    'sc create AlmenaD binPath= "\\"C:\\Program Files\\Almena\\almenad.exe\\" service-run" ' +
      'start= auto obj= "NT AUTHORITY\\LocalService"',
  ));
  assert.ok(text.includes("sc description AlmenaD "));
});

testNeeding(
  [program("sh")],
  "planText() for Linux and macOS is a script that does what the plan says",
  () =>
    withFolder(async (folder) => {
      for (const [target, tool] of [[LINUX, "systemctl"], [DARWIN, "launchctl"]] as const) {
        const home = join(folder, `${target.platform} it's $HOME`);
        const bin = join(folder, "bin");
        const calls = join(folder, `${tool}.calls`);
        await Deno.mkdir(bin, { recursive: true });
        await writeFile(join(bin, tool), `#!/bin/sh\nprintf '%s\\n' "$*" >>'${calls}'\n`, {
          mode: 0o755,
        });
        const plan = planInstall({ ...target, home, args: [AWKWARD] });
        const { code } = await new Deno.Command("sh", {
          args: ["-euc", planText(plan)],
          env: { PATH: `${bin}:${Deno.env.get("PATH")}` },
        }).output();
        assert.equal(code, 0);
        const file = written(plan);
        assert.equal(await readFile(file.path, "utf8"), file.content);
        assert.equal((await stat(file.path)).mode & 0o777, 0o644);
        const expected = commands(plan).map((line) => line.slice(tool.length + 1));
        assert.deepEqual((await readFile(calls, "utf8")).trimEnd().split("\n"), expected);
      }
    }),
);

Deno.test("planUninstall() touches the registration alone", () => {
  for (const target of [LINUX, DARWIN, WINDOWS]) {
    const plan = planUninstall(target);
    const removed = plan.steps.flatMap((step) => step.kind === "remove" ? [step.path] : []);
    for (const path of removed) assert.match(path, /systemd\/user\/|LaunchAgents\//);
    assert.ok(plan.notes.some((note) => /were kept/.test(note)));
  }
});

Deno.test("ServiceManager.install() writes the unit, and a second time upgrades it", () =>
  withFolder(async (home) => {
    const { ran, run } = fakeSystem();
    const target = { ...LINUX, home };
    const first = await new ServiceManager({ run }, { target }).install();
    assert.equal(first.done, "installed");
    const moved = { ...target, executable: "/opt/almenad" };
    const second = await new ServiceManager({ run }, { target: moved }).install();
    assert.equal(second.done, "upgraded");
    const unit = await readFile(join(home, ".config/systemd/user/almenad.service"), "utf8");
    assert.ok(unit.includes("ExecStart=/opt/almenad\n"));
    assert.equal(ran.at(-1), "systemctl --user restart almenad.service");
  }));

Deno.test("ServiceManager.install() without a user session writes nothing and names the way out", () =>
  withFolder(async (home) => {
    const stderr = "Failed to connect to bus: No medium found";
    const { run } = fakeSystem({ "systemctl --user show": { code: 1, stderr } });
    const manager = new ServiceManager({ run }, { target: { ...LINUX, home } });
    await assert.rejects(manager.install(), {
      name: "DaemonError",
      code: "failed_precondition",
      message: /Cannot reach systemd: .*No medium found.*enable-linger/,
    });
    assert.deepEqual(await Array.fromAsync(Deno.readDir(home)), []);
  }));

Deno.test("ServiceManager.install() on a machine without the service system says so", () =>
  withFolder(async (home) => {
    const run = () => runCommand([join(home, "no-such-program")]);
    const manager = new ServiceManager({ run }, { target: { ...LINUX, home } });
    await assert.rejects(manager.install(), { code: "unavailable", message: /no-such-program/ });
  }));

Deno.test("ServiceManager.install() names the unit that does not start, and keeps it for a look", () =>
  withFolder(async (home) => {
    const { run } = fakeSystem({ "systemctl --user restart": { code: 1, stderr: "Job failed." } });
    const manager = new ServiceManager({ run }, { target: { ...LINUX, home } });
    await assert.rejects(manager.install(), {
      code: "failed_precondition",
      message: /Cannot start the service: .*Job failed\..*almenad daemon logs/,
    });
    assert.ok((await stat(join(home, ".config/systemd/user/almenad.service"))).isFile());
  }));

Deno.test("ServiceManager.install() tries again what only works a moment later", () =>
  withFolder(async (home) => {
    const failures = [5, 5];
    const { ran, run: answer } = fakeSystem();
    const run = async (argv: readonly string[]) => {
      const code = argv[1] === "bootstrap" ? failures.shift() ?? 0 : 0;
      return { ...await answer(argv), code };
    };
    await new ServiceManager({ run }, { target: { ...DARWIN, home }, retryMs: 1 }).install();
    assert.equal(ran.filter((line) => line.startsWith("launchctl bootstrap")).length, 3);
  }));

Deno.test("ServiceManager.install() refuses sudo, which would make it root's service", async () => {
  const { ran, run } = fakeSystem();
  for (const target of [LINUX, DARWIN]) {
    const sudo = { ...target, uid: 0, env: { SUDO_USER: "ada" } };
    const manager = new ServiceManager({ run }, { target: sudo });
    await assert.rejects(manager.install(), {
      code: "failed_precondition",
      message: /without sudo, as "ada"/,
    });
  }
  assert.deepEqual(ran, []);
});

Deno.test("ServiceManager.install() stops when cancelled", () =>
  withFolder(async (home) => {
    const { ran, run } = fakeSystem();
    const manager = new ServiceManager({ run }, { target: { ...LINUX, home } });
    await assert.rejects(manager.install(AbortSignal.abort()), { code: "cancelled" });
    assert.deepEqual(ran, []);
  }));

Deno.test("ServiceManager.uninstall() removes the registration, and then says that there is none", () =>
  withFolder(async (home) => {
    const data = join(home, ".local/share/network.almena.daemon/data");
    await Deno.mkdir(data, { recursive: true });
    const { run } = fakeSystem();
    const manager = new ServiceManager({ run }, { target: { ...LINUX, home } });
    await manager.install();
    assert.equal((await manager.uninstall()).done, "uninstalled");
    await assert.rejects(stat(join(home, ".config/systemd/user/almenad.service")), {
      code: "ENOENT",
    });
    const again = await manager.uninstall();
    assert.equal(again.done, "nothing");
    assert.match(again.notes[0] ?? "", /Nothing to uninstall/);
    assert.ok((await stat(data)).isDirectory());
  }));

Deno.test("ServiceManager.uninstall() works without a user session", () =>
  withFolder(async (home) => {
    const { run } = fakeSystem();
    const target = { ...LINUX, home };
    await new ServiceManager({ run }, { target }).install();
    const { run: silent } = fakeSystem({ "systemctl": { code: 1, stderr: "no bus" } });
    const outcome = await new ServiceManager({ run: silent }, { target }).uninstall();
    assert.equal(outcome.done, "uninstalled");
  }));

Deno.test("ServiceManager on Windows asks the system whether the service is there", async () => {
  const none = fakeSystem({ "sc queryex": { code: 1060 } });
  const absent = new ServiceManager({ run: none.run }, { target: WINDOWS });
  assert.equal((await absent.uninstall()).done, "nothing");
  assert.equal((await absent.install()).done, "installed");
  const stdout = "        STATE              : 4  RUNNING \n        PID                : 7\n";
  const there = fakeSystem({ "sc queryex": { stdout } });
  const present = new ServiceManager({ run: there.run }, { target: WINDOWS });
  assert.equal((await present.install()).done, "upgraded");
  assert.equal((await present.uninstall()).done, "uninstalled");
  assert.equal(there.ran.at(-1), "sc delete AlmenaD");
});

Deno.test("systemd.parseStatus() reads running, failed, starting and missing units", () => {
  const parse = (stdout: string) => systemd.parseStatus({ code: 0, stdout, stderr: "" });
  const running = parse(
    "MainPID=42\nNRestarts=2\nExecMainStatus=0\nStatusText=3 peers\nLoadState=loaded\n" +
      "ActiveState=active\nSubState=running\nUnitFileState=enabled\n",
  );
  assert.deepEqual(running, {
    platform: "linux",
    service: "almenad.service",
    isInstalled: true,
    state: "running",
    pid: 42,
    detail: "active (running), enabled, 2 restarts, 3 peers",
  });
  const failed = parse(
    "MainPID=0\nExecMainStatus=5\nLoadState=loaded\nActiveState=failed\nSubState=failed\n",
  );
  assert.equal(failed.state, "failed");
  assert.equal(failed.exitCode, 5);
  assert.match(failed.remedy ?? "", /daemon logs/);
  assert.equal(parse("LoadState=not-found\nActiveState=inactive\n").state, "not_installed");
  assert.equal(
    parse("LoadState=loaded\nActiveState=activating\nSubState=start\n").state,
    "starting",
  );
  assert.throws(() => systemd.parseStatus({ code: 1, stdout: "", stderr: "no bus" }), {
    code: "unavailable",
  });
});

Deno.test("launchd.parseStatus() reads running, failed and unknown agents", () => {
  const parse = (code: number, stdout: string) => launchd.parseStatus({ code, stdout, stderr: "" });
  const running = parse(
    0,
    "gui/501/network.almena.daemon = {\n\tstate = running\n\n\tpid = 42\n}\n",
  );
  assert.deepEqual([running.state, running.pid], ["running", 42]);
  const failed = parse(0, "x = {\n\tstate = not running\n\tlast exit code = 3\n}\n");
  assert.deepEqual([failed.state, failed.exitCode], ["failed", 3]);
  const waiting = parse(
    0,
    "x = {\n\tstate = spawn scheduled\n\tlast exit code = (never exited)\n}\n",
  );
  assert.equal(waiting.state, "starting");
  assert.equal(parse(113, "").state, "not_installed");
  assert.throws(() => parse(1, ""), { code: "unavailable" });
});

Deno.test("windowsServices.parseStatus() goes by numbers, because the words are translated", () => {
  const parse = (stdout: string, code = 0) =>
    windowsServices.parseStatus({ code, stdout, stderr: "" });
  const answer = (state: string, exit: number, pid: number) =>
    `\r\nSERVICE_NAME: AlmenaD\r\n        TYP                : 10  WIN32_OWN_PROCESS\r\n` +
    `        STATUS             : ${state}\r\n        WIN32_EXIT_CODE    : ${exit}  (0x0)\r\n` +
    `        PID                : ${pid}\r\n`;
  const running = parse(answer("4  RUNNING", 0, 42));
  assert.deepEqual([running.state, running.pid], ["running", 42]);
  const failed = parse(answer("1  STOPPED", 1066, 0));
  assert.deepEqual([failed.state, failed.exitCode, failed.pid], ["failed", 1066, undefined]);
  assert.equal(parse(answer("1  STOPPED", 1077, 0)).state, "stopped");
  assert.equal(parse("", 1060).state, "not_installed");
  assert.throws(() => parse("Access is denied.", 5), { code: "unavailable" });
});

Deno.test("ServiceManager.logs() runs the platform's own reader", async () => {
  const { ran, run } = fakeSystem();
  for (const target of [LINUX, DARWIN, WINDOWS]) {
    await new ServiceManager({ run }, { target }).logs({ lines: 7, follow: true });
  }
  assert.equal(
    ran[0],
    "journalctl --user --unit=almenad.service --no-pager --lines=7 --follow",
  );
  assert.equal(ran[1], "tail -n 7 -F /Users/ada/Library/Logs/network.almena.daemon.log");
  assert.match(
    ran[2] ?? "",
    /-Tail 7 -Wait -LiteralPath 'C:\\Windows\\ServiceProfiles\\LocalService/,
  );
});

Deno.test("runCommand() gives code and output, and ends what hangs", async () => {
  const answer = await runCommand(["sh", "-c", "echo out; echo err >&2; exit 7"]);
  assert.deepEqual(answer, { code: 7, stdout: "out\n", stderr: "err\n" });
  await assert.rejects(runCommand(["sleep", "60"], { timeoutMs: 50 }), {
    code: "deadline_exceeded",
  });
});
