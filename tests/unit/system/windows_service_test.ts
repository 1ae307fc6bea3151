import assert from "node:assert/strict";
import { DaemonError } from "../../../src/core/mod.ts";
import type { Clock } from "../../../src/core/mod.ts";
import { runWindowsService } from "../../../src/system/windows_service.ts";
import {
  openServiceControlApi,
  SERVICE_STATE,
  type ServiceCallbacks,
  type ServiceControlApi,
  type ServiceStatus,
} from "../../../src/system/service_control_api.ts";

const STOP = 1;
const PAUSE = 2;
const INTERROGATE = 4;
const SHUTDOWN = 5;

/** The Service Control Manager, as a service process sees it. */
class FakeServiceControl implements ServiceControlApi {
  readonly reports: ServiceStatus[] = [];
  isClosed = false;
  refuses = false;
  #callbacks: ServiceCallbacks | undefined;
  readonly #released = Promise.withResolvers<boolean>();

  dispatch(_name: string, callbacks: ServiceCallbacks): Promise<boolean> {
    this.#callbacks = callbacks;
    if (this.refuses) return Promise.resolve(false);
    queueMicrotask(() => callbacks.onStart());
    return this.#released.promise;
  }

  report(status: ServiceStatus): void {
    this.reports.push(status);
    if (status.state !== SERVICE_STATE.stopped) return;
    this.#released.resolve(true);
  }

  close(): void {
    this.isClosed = true;
  }

  control(code: number): number | undefined {
    return this.#callbacks?.onControl(code);
  }

  /** States in order, repeats left out. */
  states(): number[] {
    return this.reports.map(({ state }) => state).filter((state, at, all) => state !== all[at - 1]);
  }
}

/** A clock that stands still until told. */
class FakeClock implements Clock {
  readonly #repeating = new Set<() => void>();
  now(): number {
    return 0;
  }
  monotonic(): number {
    return 0;
  }
  after(_ms: number, callback: () => void): { cancel(): void } {
    queueMicrotask(callback);
    return { cancel: () => undefined };
  }
  every(_ms: number, callback: () => void): { cancel(): void } {
    this.#repeating.add(callback);
    return { cancel: () => this.#repeating.delete(callback) };
  }
  tick(times: number): void {
    for (let at = 0; at < times; at++) for (const callback of [...this.#repeating]) callback();
  }
}

function fakes() {
  const api = new FakeServiceControl();
  const clock = new FakeClock();
  return { api, clock, components: { openApi: () => api, clock } };
}

function untilAborted(signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  signal.addEventListener("abort", () => resolve());
  return promise;
}

const { startPending, running, stopPending, stopped } = SERVICE_STATE;

Deno.test("runWindowsService() is running only once the daemon is ready, and stops on STOP", async () => {
  const { api, components } = fakes();
  const code = await runWindowsService({
    async run(signal, ready) {
      assert.deepEqual(api.states(), [startPending]);
      assert.equal(api.reports.at(-1)?.accepts, 0);
      ready();
      assert.deepEqual(api.states(), [startPending, running]);
      assert.equal(api.reports.at(-1)?.accepts, 1 | 4);
      assert.equal(api.control(STOP), 0);
      assert.equal(signal.aborted, false, "the callback returns before the daemon is told");
      await untilAborted(signal);
      assert.deepEqual(api.states(), [startPending, running, stopPending]);
      return 0;
    },
  }, components);
  assert.equal(code, 0);
  assert.deepEqual(api.states(), [startPending, running, stopPending, stopped]);
});

Deno.test("runWindowsService() stops on SHUTDOWN, and twice asked stops once", async () => {
  const { api, components } = fakes();
  await runWindowsService({
    async run(signal, ready) {
      ready();
      api.control(SHUTDOWN);
      api.control(STOP);
      await untilAborted(signal);
      return 0;
    },
  }, components);
  assert.equal(api.reports.filter(({ state }) => state === stopPending).length, 1);
});

Deno.test("runWindowsService() gives signs of life while pending, and gives up on a hung start", async () => {
  const { api, clock, components } = fakes();
  await runWindowsService({
    run(_signal, ready) {
      clock.tick(3);
      assert.deepEqual(api.reports.map(({ checkpoint }) => checkpoint), [1, 2, 3, 4]);
      assert.ok(api.reports.every(({ waitHintMs }) => waitHintMs === 10_000));
      clock.tick(1_000);
      assert.equal(api.reports.at(-1)?.checkpoint, 60);
      ready();
      clock.tick(5);
      assert.equal(api.reports.at(-1)?.state, running);
      assert.equal(api.reports.at(-1)?.checkpoint, 0);
      return Promise.resolve(0);
    },
  }, components);
});

Deno.test("runWindowsService() answers INTERROGATE and refuses controls it does not know", async () => {
  const { api, components } = fakes();
  await runWindowsService({
    run(_signal, ready) {
      ready();
      assert.equal(api.control(INTERROGATE), 0);
      assert.equal(api.control(PAUSE), 120);
      return Promise.resolve(0);
    },
  }, components);
});

for (const code of [2, 3, 5, 6]) {
  Deno.test(`runWindowsService() reports exit code ${code} as stopped, so that nothing restarts it`, async () => {
    const { api, components } = fakes();
    assert.equal(await runWindowsService({ run: () => Promise.resolve(code) }, components), code);
    assert.equal(api.reports.at(-1)?.state, stopped);
    assert.equal(api.reports.at(-1)?.exitCode, code);
  });
}

for (const code of [1, 70]) {
  Deno.test(`runWindowsService() ends without a word on exit code ${code}, so that it is restarted`, async () => {
    const { api, components } = fakes();
    assert.equal(await runWindowsService({ run: () => Promise.resolve(code) }, components), code);
    assert.deepEqual(api.states(), [startPending]);
  });
}

Deno.test("runWindowsService() turns a throw into exit code 70", async () => {
  const { components } = fakes();
  const run = () => Promise.reject(new DaemonError("internal", "broken"));
  assert.equal(await runWindowsService({ run }, components), 70);
});

Deno.test("runWindowsService() asks its caller for the exit code of a throw", async () => {
  const { api, components } = fakes();
  const run = () => Promise.reject(new DaemonError("data_loss", "identity is damaged"));
  const exitCodeOf = (failure: unknown) =>
    failure instanceof DaemonError && failure.code === "data_loss" ? 6 : 70;
  assert.equal(await runWindowsService({ run, exitCodeOf }, components), 6);
  assert.equal(api.reports.at(-1)?.exitCode, 6);
});

Deno.test("runWindowsService() reports stopped whatever the code when Windows asked for it", async () => {
  const { api, components } = fakes();
  await runWindowsService({
    async run(signal, ready) {
      ready();
      api.control(STOP);
      await untilAborted(signal);
      return 70;
    },
  }, components);
  assert.equal(api.reports.at(-1)?.state, stopped);
});

Deno.test("runWindowsService() goes on when Windows does not take a report", async () => {
  const { api, components } = fakes();
  const report = api.report.bind(api);
  api.report = (status) => {
    if (status.state !== stopped) throw new DaemonError("unavailable", "refused");
    report(status);
  };
  const run = (_signal: AbortSignal, ready: () => void) => (ready(), Promise.resolve(0));
  assert.equal(await runWindowsService({ run }, components), 0);
});

Deno.test("runWindowsService() outside the Service Control Manager says so and runs nothing", async () => {
  const { api, components } = fakes();
  api.refuses = true;
  const outcome = runWindowsService({ run: () => assert.fail("must not run") }, components);
  await assert.rejects(outcome, (error) => {
    assert.ok(error instanceof DaemonError);
    assert.equal(error.code, "failed_precondition");
    assert.match(error.message, /error 1063.*almenad run/);
    return true;
  });
  assert.equal(api.isClosed, true);
});

Deno.test({
  name: "openServiceControlApi() on another system names the way out",
  ignore: Deno.build.os === "windows",
  fn() {
    assert.throws(openServiceControlApi, { code: "unimplemented", message: /daemon install/ });
  },
});
