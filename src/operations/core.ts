import * as z from "zod";
import { once, query } from "../core/mod.ts";
import type { Components } from "./components.ts";
import { GeolocationOutput, geolocationOutput } from "./schemas.ts";

const NoInput = once(() => z.strictObject({}));

const PONG = Object.freeze({ message: "pong" as const });

/** Whether the daemon answers at all. */
export const ping = query({
  name: "core.ping",
  rpc: "Ping",
  summary: 'Answers "pong"',
  input: NoInput,
  output: () => z.object({ message: z.literal("pong") }),
  run: () => PONG,
});

/** The version of the running daemon. */
export const version = query({
  name: "core.version",
  rpc: "GetVersion",
  summary: "The version of the running daemon, and what it was built from",
  input: NoInput,
  output: () =>
    z.object({
      version: z.string(),
      commit: z.string(),
      build_time: z.string(),
      runtime: z.string(),
    }),
  run: (_input, { daemon }: Pick<Components, "daemon">) => ({
    version: daemon.version.version,
    commit: daemon.version.commit,
    build_time: daemon.version.buildTime,
    runtime: daemon.version.runtime,
  }),
});

/** Name and version of the operating system. */
export const systemInfo = query({
  name: "core.system_info",
  rpc: "GetSystemInfo",
  summary: "Name and version of the operating system",
  input: NoInput,
  output: () => z.object({ os_name: z.string(), os_version: z.string() }),
  run: async (_input, components: Pick<Components, "systemInfo">) => {
    const { osName, osVersion } = await components.systemInfo();
    return { os_name: osName, os_version: osVersion };
  },
});

/** Where this machine's public address is. */
export const geolocation = query({
  name: "core.geolocation",
  rpc: "GetGeolocation",
  summary: "Where this machine's public address is, asked from the online service",
  input: NoInput,
  output: GeolocationOutput,
  run: async (_input, components: Pick<Components, "geolocation">) =>
    geolocationOutput(await components.geolocation.get()),
});

/** The state of the daemon and of its parts. */
export const status = query({
  name: "core.status",
  summary: "The daemon's state: version, doors, uptime and what is not well",
  aliases: ["/status", "/api/v1/status"],
  input: NoInput,
  output: () =>
    z.object({
      status: z.enum(["ok", "degraded"]),
      version: z.string(),
      grpc_addr: z.string(),
      rest_addr: z.string(),
      peer_id: z.string(),
      uptime_s: z.number(),
      instance: z.string(),
      pid: z.number(),
      data_dir: z.string(),
      grpc_addrs: z.array(z.string()),
      p2p_addrs: z.array(z.string()),
      control_addr: z.string(),
      health: z.array(z.object({
        component: z.string(),
        serving: z.boolean(),
        problem: z.string(),
        remedy: z.string(),
      })),
      counters: z.record(z.string(), z.number()),
    }),
  run: (_input, { daemon, health }: Pick<Components, "daemon" | "health">) => ({
    status: health.isReady() ? "ok" as const : "degraded" as const,
    version: daemon.version.version,
    grpc_addr: daemon.grpcAddresses()[0] ?? "",
    rest_addr: daemon.restAddress(),
    peer_id: daemon.peerId,
    uptime_s: Math.floor(daemon.uptimeMs() / 1_000),
    instance: daemon.instance,
    pid: daemon.pid,
    data_dir: daemon.dataDir,
    grpc_addrs: [...daemon.grpcAddresses()],
    p2p_addrs: [...daemon.p2pAddresses()],
    control_addr: daemon.controlAddress(),
    health: health.list().map((entry) => ({ ...entry })),
    counters: { ...daemon.counters() },
  }),
});
