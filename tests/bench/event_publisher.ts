/**
 * A daemon's control socket over a bus that publishes on demand: `<count> <every ms>` on stdin makes so many
 * `ConfigChanged`, whose field is the time of its publishing; `done <n>` follows on stdout.
 */
import { join } from "node:path";
import process from "node:process";
import { ControlServer } from "../../src/api/mod.ts";
import {
  controlPlaces,
  EventBus,
  Health,
  type Operation,
  OperationRegistry,
  pause,
  systemClock,
  systemRandom,
} from "../../src/core/mod.ts";
import { events } from "../../src/operations/events.ts";
import { Subscriptions } from "../../src/operations/subscriptions.ts";
import { LogHub } from "../../src/system/mod.ts";
import { TextLineStream } from "../support/text_lines.ts";
import { print } from "./report.ts";

const bus = new EventBus(() => "bench");
const subscriptions = new Subscriptions({ events: bus, logs: new LogHub({ clock: systemClock }) });
type Parts = { subscriptions: Subscriptions };
const registry = new OperationRegistry<Parts>({ subscriptions }, [
  events as unknown as Operation<Parts>,
]);
const server = new ControlServer<Parts>({
  registry,
  health: new Health(["control"]),
  clock: systemClock,
  random: systemRandom,
  shutDown: () => undefined,
}, {
  place: controlPlaces(join(process.argv[2] ?? "", "daemon", "daemon.sock")),
  maxConnections: 101, // 100 that read and one that does not
});
await server.start();
print("ready");
let done = 0;
for await (const line of Deno.stdin.readable.pipeThrough(new TextLineStream())) {
  const [count = 0, everyMs = 0] = line.split(" ").map(Number);
  for (let number = 0; number < count; number++) {
    bus.publish("config.changed", { field: `${performance.timeOrigin + performance.now()}` });
    if (everyMs > 0) await pause(everyMs);
    else if (number % 100 === 99) await pause(0);
  }
  print(`done ${++done}`);
}
await server.stop();
