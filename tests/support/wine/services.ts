import assert from "node:assert/strict";
import type { WineMachine } from "./wine_machine.ts";

/** What `sc query` shows of a service. */
export interface ServiceView {
  /** Such as `RUNNING`; `NONE` when there is no such service. */
  state: string;
  win32ExitCode: number;
  serviceExitCode: number;
  checkpoint: number;
}

/** ERROR_SERVICE_DOES_NOT_EXIST, 1060, in the eight bits that reach us. */
const NO_SUCH_SERVICE = 1060 & 0xff;
/** Longest wait for a state. */
const STATE_TIMEOUT_MS = 20_000;
const POLL_MS = 150;

/** Asks Windows for a service. */
export async function queryService(windows: WineMachine, name: string): Promise<ServiceView> {
  const { code, stdout } = await windows.run("sc", "query", name);
  if (code === NO_SUCH_SERVICE) {
    return { state: "NONE", win32ExitCode: 0, serviceExitCode: 0, checkpoint: 0 };
  }
  assert.equal(code, 0, stdout);
  const number = (field: string) => Number(new RegExp(`${field}\\s*: (\\w+)`).exec(stdout)?.[1]);
  return {
    state: /STATE\s*: \d+\s+(\w+)/.exec(stdout)?.[1] ?? "",
    win32ExitCode: number("WIN32_EXIT_CODE"),
    serviceExitCode: number("SERVICE_EXIT_CODE"),
    checkpoint: number("CHECKPOINT"),
  };
}

/** Waits for a state; returns all views on the way, that state's last. */
export async function waitForService(
  windows: WineMachine,
  name: string,
  state: string,
): Promise<ServiceView[]> {
  const deadline = performance.now() + STATE_TIMEOUT_MS;
  const views: ServiceView[] = [];
  for (;;) {
    const view = await queryService(windows, name);
    views.push(view);
    if (view.state === state) return views;
    const told = JSON.stringify(views.slice(-3));
    assert.ok(performance.now() < deadline, `${name} did not become ${state}: ${told}`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

/** The last of some views. */
export function last(views: readonly ServiceView[]): ServiceView {
  const view = views.at(-1);
  assert.ok(view);
  return view;
}
