/** A control socket over operations made for tests, in this process. */
import { join } from "node:path";
import * as z from "zod";
import { ControlServer } from "../../src/api/mod.ts";
import {
  action,
  type Clock,
  controlPlaces,
  DaemonError,
  ERROR_CODES,
  EventBus,
  Health,
  type Operation,
  OperationRegistry,
  pause,
  query,
  stream,
  systemClock,
  systemRandom,
} from "../../src/core/mod.ts";
import { events, logs } from "../../src/operations/events.ts";
import { Subscriptions } from "../../src/operations/subscriptions.ts";
import { LogHub } from "../../src/system/mod.ts";
import { type ControlAddress, ControlClient } from "./control_client.ts";
import { tempFolder } from "./temp_folder.ts";

interface Parts {
  subscriptions: Subscriptions;
}

const Empty = z.strictObject({});

const echo = query({
  name: "test.echo",
  summary: "Answers what it gets",
  input: z.looseObject({}),
  output: z.looseObject({}),
  run: (input) => input,
});
const count = action({
  name: "test.count",
  scope: "library",
  summary: "Tells its library",
  input: Empty,
  output: z.object({ library_id: z.string().optional(), request_id: z.string().optional() }),
  run: (_input, _parts, { libraryId, requestId }) => ({
    library_id: libraryId,
    request_id: requestId,
  }),
});
const slow = query({
  name: "test.slow",
  summary: "Takes its time",
  input: z.strictObject({ ms: z.number() }),
  output: z.object({ waited: z.boolean() }),
  run: async ({ ms }, _parts, { signal }) => {
    await pause(ms, signal);
    return { waited: !signal.aborted };
  },
});
const fail = query({
  name: "test.fail",
  summary: "Fails as told",
  input: z.strictObject({ code: z.enum([...ERROR_CODES, "uncaught"]) }),
  output: Empty,
  run: ({ code }) => {
    if (code === "uncaught") throw new TypeError("unforeseen");
    throw new DaemonError(code, "Cannot do it: a test said so");
  },
});
const unsayable = query({
  name: "test.unsayable",
  summary: "Answers what has no JSON form",
  input: Empty,
  output: z.object({ size: z.bigint() }),
  run: () => ({ size: 1n }),
});
const nothing = query({
  name: "test.nothing",
  summary: "Answers nothing",
  input: Empty,
  output: z.undefined(),
  run: () => undefined,
});
const numbers = stream({
  name: "test.numbers",
  summary: "Counts",
  input: z.strictObject({ to: z.number(), then: z.enum(["end", "fail", "wait"]).default("end") }),
  output: z.number(),
  run: async function* ({ to, then }, _parts, { signal }) {
    for (let number = 1; number <= to; number++) yield number;
    if (then === "fail") throw new DaemonError("data_loss", "Cannot count on: a test said so");
    if (then === "wait") await pause(60_000, signal);
  },
});

const OPERATIONS = [echo, count, slow, fail, unsayable, nothing, numbers, events, logs] as const;

/** How {@link openControl} makes a server. */
export interface ControlFixtureInit {
  clock?: Clock;
  maxConnections?: number;
  idleMs?: number;
  usesTcp?: boolean;
  /** Path of the socket below a temporary folder. @default {"daemon/daemon.sock"} */
  socket?: string;
}

/** A server that listens, and what it stands on. */
export class ControlFixture implements AsyncDisposable {
  readonly #clients: ControlClient[] = [];

  constructor(
    readonly server: ControlServer<Parts>,
    readonly bus: EventBus,
    readonly hub: LogHub,
    readonly subscriptions: Subscriptions,
    readonly folder: string,
    readonly place: ReturnType<typeof controlPlaces>,
    readonly asked: { shutDowns: number },
    readonly cleanUp: () => Promise<void>,
  ) {}

  /** Where it listens. */
  get address(): ControlAddress {
    const [endpoint] = this.server.endpoints();
    if (!endpoint) throw new DaemonError("unavailable", "The server does not listen");
    return "path" in endpoint ? endpoint.path : endpoint.port;
  }

  /** A new connection, closed with the fixture. */
  async connect(): Promise<ControlClient> {
    const client = await ControlClient.connect(this.address);
    this.#clients.push(client);
    return client;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.#clients) client[Symbol.dispose]();
    await Promise.all(this.#clients.map(({ closed }) => closed));
    await this.server.stop();
    // A client that left closes once it reads that the daemon has, some turns of the loop later.
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setTimeout(resolve, 2));
    await this.cleanUp();
  }
}

/** Makes a control socket in a temporary folder; it listens unless told otherwise. */
export async function openControl(
  init: ControlFixtureInit & { start?: boolean } = {},
): Promise<ControlFixture> {
  const temp = await tempFolder();
  const clock = init.clock ?? systemClock;
  const monotonic = () => clock.monotonic();
  const bus = new EventBus(() => "test", { monotonic });
  const hub = new LogHub({ clock });
  const subscriptions = new Subscriptions({ events: bus, logs: hub });
  const registry = new OperationRegistry<Parts>(
    { subscriptions },
    OPERATIONS as readonly Operation<
      Parts
    >[],
  );
  const place = controlPlaces(join(temp.path, init.socket ?? "daemon/daemon.sock"), {
    tempDir: temp.path,
  });
  const asked = { shutDowns: 0 };
  const server = new ControlServer<Parts>({
    registry,
    health: new Health(["control"]),
    clock,
    random: systemRandom,
    shutDown: () => asked.shutDowns++,
  }, {
    place,
    ...(init.maxConnections === undefined ? {} : { maxConnections: init.maxConnections }),
    ...(init.idleMs === undefined ? {} : { idleMs: init.idleMs }),
    ...(init.usesTcp === undefined ? {} : { usesTcp: init.usesTcp }),
  });
  const cleanUp = async () => await temp[Symbol.asyncDispose]();
  if (init.start !== false) await server.start();
  return new ControlFixture(server, bus, hub, subscriptions, temp.path, place, asked, cleanUp);
}
