import assert from "node:assert/strict";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Clock, systemClock } from "../../../src/core/mod.ts";
import { runCommand } from "../../../src/system/command.ts";
import {
  SdNotifier,
  type SdNotifierInit,
  watchdogIntervalMs,
} from "../../../src/system/sd_notify.ts";
import { LineProcess } from "../../support/line_process.ts";
import { type Need, program, testNeeding } from "../../support/needs.ts";

const RECEIVER = new URL("../../support/notify_receiver.py", import.meta.url).pathname;
const datagrams: Need = { name: "--unstable-net", isMet: "listenDatagram" in Deno };
const python = program("python3");

interface Datagram {
  lines: string[];
  pid: number;
}

/** What stands in for systemd, and a notifier that talks to it. */
interface Bench {
  notifier: SdNotifier;
  folder: string;
  address: string;
  /** The next datagram. */
  next(timeoutMs?: number): Promise<Datagram>;
}

async function withReceiver(
  init: Partial<SdNotifierInit> & { isAbstract?: boolean; clock?: Clock },
  run: (bench: Bench) => Promise<void>,
): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "almenad-notify-"));
  const address = init.isAbstract ? `@${folder}` : join(folder, "notify");
  const receiver = new LineProcess({ command: ["python3", RECEIVER, address] });
  let number = 0;
  const next = (timeoutMs?: number): Promise<Datagram> => {
    number += 1;
    const wanted = number;
    return receiver.waitFor(`datagram ${wanted}`, (line) => {
      const datagram = JSON.parse(line);
      return datagram.number === wanted ? datagram as Datagram : undefined;
    }, timeoutMs);
  };
  const notifier = new SdNotifier({ clock: init.clock ?? systemClock, run: runCommand }, {
    pid: Deno.pid,
    folder,
    ...init,
    env: { NOTIFY_SOCKET: address, ...init.env },
  });
  try {
    await receiver.waitFor("bound socket", (line) => line);
    await run({ notifier, folder, address, next });
  } finally {
    await notifier.stop();
    await receiver.stop();
    await rm(folder, { recursive: true });
  }
}

testNeeding(
  [datagrams, python],
  "SdNotifier tells start, reload, status and stop as ourselves",
  () =>
    withReceiver({}, async ({ notifier, folder, next }) => {
      await notifier.start();
      await notifier.ready("3 peers");
      assert.deepEqual(await next(), {
        number: 1,
        lines: ["READY=1", "STATUS=3 peers"],
        pid: Deno.pid,
      });
      await notifier.reloading();
      const [reloading, time] = (await next()).lines;
      assert.equal(reloading, "RELOADING=1");
      assert.match(time ?? "", /^MONOTONIC_USEC=\d+$/);
      await notifier.ready();
      assert.deepEqual((await next()).lines, ["READY=1"]);
      await notifier.status("two\nlines");
      assert.deepEqual((await next()).lines, ["STATUS=two lines"]);
      await notifier.stopping();
      assert.deepEqual((await next()).lines, ["STOPPING=1"]);
      assert.deepEqual(await readdir(folder), ["notify"]);
    }),
);

testNeeding(
  [datagrams, python],
  "SdNotifier.reloading() gives a time systemd does not take for an old one",
  () =>
    withReceiver({}, async ({ notifier, next }) => {
      await notifier.start();
      const clock = [
        "-c",
        "import time; print(time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000)",
      ];
      const before = Number((await runCommand(["python3", ...clock])).stdout);
      await notifier.reloading();
      const usec = Number((await next()).lines[1]?.split("=")[1]);
      assert.ok(usec >= before, `${usec} is before ${before}`);
    }),
);

testNeeding(
  [datagrams, python],
  "SdNotifier.stop() says it once, and again after a new start",
  () =>
    withReceiver({}, async ({ notifier, next }) => {
      await notifier.stop();
      await notifier.start();
      await notifier.start();
      await notifier.stopping();
      await notifier.stop();
      await notifier.stop();
      await notifier.start();
      await notifier.ready();
      assert.deepEqual((await next()).lines, ["STOPPING=1"]);
      assert.deepEqual((await next()).lines, ["READY=1"]);
    }),
);

testNeeding(
  [datagrams, python],
  "SdNotifier gives a sign of life twice in the watchdog's time",
  () =>
    withReceiver({ env: { WATCHDOG_USEC: "100000" } }, async ({ notifier, next }) => {
      const begun = performance.now();
      await notifier.start();
      for (let count = 0; count < 4; count += 1) {
        assert.deepEqual((await next()).lines, ["WATCHDOG=1"]);
      }
      assert.ok(performance.now() - begun >= 190);
    }),
);

testNeeding(
  [datagrams, python],
  "SdNotifier gives no sign of life while the daemon is not well",
  () => {
    let ticks = 0;
    const isAlive = () => {
      ticks += 1;
      return ticks > 3;
    };
    return withReceiver(
      { env: { WATCHDOG_USEC: "20000" }, isAlive },
      async ({ notifier, next }) => {
        await notifier.start();
        await next();
        assert.ok(ticks > 3);
      },
    );
  },
);

testNeeding(
  [program("systemd-notify"), python],
  "SdNotifier reaches an abstract socket by systemd-notify",
  () =>
    withReceiver({ isAbstract: true }, async ({ notifier, address, next }) => {
      Deno.env.set("NOTIFY_SOCKET", address); // inherited by the program, as under a real supervisor
      try {
        await notifier.start();
        await notifier.ready();
        assert.deepEqual((await next()).lines, ["READY=1"]);
      } finally {
        Deno.env.delete("NOTIFY_SOCKET");
      }
    }),
);

const SCOPED = `
import { SdNotifier } from ${
  JSON.stringify(new URL("../../../src/system/sd_notify.ts", import.meta.url))
};
import { runCommand } from ${
  JSON.stringify(new URL("../../../src/system/command.ts", import.meta.url))
};
import { systemClock } from ${JSON.stringify(new URL("../../../src/core/mod.ts", import.meta.url))};
const env = { NOTIFY_SOCKET: Deno.args[0] };
env.XDG_RUNTIME_DIR = Deno.args[0].slice(0, -"/notify".length);
const init = { env, pid: Deno.pid, folder: Deno.args[1] };
if (Deno.args[2] === "mute") Object.defineProperty(Deno, "listenDatagram", { value: undefined });
const notifier = new SdNotifier({ clock: systemClock, run: runCommand }, init);
await notifier.start();
await notifier.ready();
await notifier.stop();
`;

function scopedTo({ folder }: Bench): string[] {
  return [
    "--unstable-net",
    "--allow-read",
    `--allow-write=${folder}`,
    "--allow-net",
    "--allow-env",
  ];
}

async function runScoped(
  bench: Bench,
  flags: string[],
  folder = "own",
  ...more: string[]
): Promise<void> {
  const own = join(bench.folder, folder);
  const script = join(bench.folder, "scoped.ts");
  await Deno.mkdir(own, { recursive: true });
  await Deno.writeTextFile(script, SCOPED);
  const config = new URL("../../../deno.json", import.meta.url).pathname;
  const { code, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--no-prompt",
      "--no-check",
      "--config",
      config,
      ...flags,
      script,
      bench.address,
      own,
      ...more,
    ],
    env: { NOTIFY_SOCKET: bench.address },
  }).output();
  assert.equal(code, 0, new TextDecoder().decode(stderr));
  assert.deepEqual(await readdir(own), []);
}

testNeeding(
  [python],
  "SdNotifier works with scoped permissions and leaves no socket behind",
  () =>
    withReceiver({}, async (bench) => {
      await runScoped(bench, scopedTo(bench));
      assert.deepEqual((await bench.next()).lines, ["READY=1"]);
      assert.deepEqual((await bench.next()).lines, ["STOPPING=1"]);
    }),
);

testNeeding(
  [python],
  "SdNotifier takes XDG_RUNTIME_DIR where the folder's path is too long",
  () =>
    withReceiver({}, async (bench) => {
      await runScoped(bench, scopedTo(bench), "long".repeat(40));
      assert.deepEqual((await bench.next()).pid > 0, true);
      assert.deepEqual((await readdir(bench.folder)).filter((name) => name.endsWith("sock")), []);
    }),
);

testNeeding(
  [program("systemd-notify"), python],
  "SdNotifier falls back to systemd-notify where the runtime has no datagram sockets",
  () =>
    withReceiver({}, async (bench) => {
      await runScoped(bench, ["--allow-all"], "own", "mute");
      assert.deepEqual((await bench.next()).lines, ["READY=1"]);
      assert.deepEqual((await bench.next()).lines, ["STOPPING=1"]);
    }),
);

Deno.test("SdNotifier goes on when nobody receives, or nobody ever listened", async () => {
  const folder = await mkdtemp(join(tmpdir(), "almenad-notify-"));
  try {
    for (const env of [{ NOTIFY_SOCKET: join(folder, "gone") }, { NOTIFY_SOCKET: "" }, {}]) {
      const notifier = new SdNotifier({ clock: systemClock, run: runCommand }, {
        env,
        pid: Deno.pid,
        folder,
      });
      await notifier.start();
      await notifier.ready();
      await notifier.status("still here");
      await notifier.stop();
      assert.equal(notifier.isSupervised, Boolean(env.NOTIFY_SOCKET));
    }
  } finally {
    await rm(folder, { recursive: true });
  }
});

Deno.test("watchdogIntervalMs() is half of WATCHDOG_USEC, for our process alone", () => {
  const table: [Record<string, string>, number | undefined][] = [
    [{}, undefined],
    [{ WATCHDOG_USEC: "60000000" }, 30_000],
    [{ WATCHDOG_USEC: "60000000", WATCHDOG_PID: "7" }, 30_000],
    [{ WATCHDOG_USEC: "60000000", WATCHDOG_PID: "8" }, undefined],
    [{ WATCHDOG_USEC: "0" }, undefined],
    [{ WATCHDOG_USEC: "-5" }, undefined],
    [{ WATCHDOG_USEC: "soon" }, undefined],
    [{ WATCHDOG_USEC: "1" }, 1],
  ];
  for (const [env, expected] of table) assert.equal(watchdogIntervalMs(env, 7), expected);
});
