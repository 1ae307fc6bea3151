/** The gRPC door as the clients of others see it, without a .proto file on their side. */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { startDaemon } from "../support/daemon.ts";
import { peerNeed, runCommand } from "../support/foreign_peers.ts";
import { BUF, GRPCURL, PYTHON_GRPC } from "../support/grpc_tools.ts";
import { testNeeding } from "../support/needs.ts";

const SERVICE = "almena.daemon.v1.DaemonService";
const METHODS = ["GetGeolocation", "GetSystemInfo", "GetVersion", "ListPeers", "Ping"];
const SERVICES = [
  SERVICE,
  "grpc.health.v1.Health",
  "grpc.reflection.v1.ServerReflection",
  "grpc.reflection.v1alpha.ServerReflection",
];
const HEALTH_CLIENT = fileURLToPath(new URL("../support/grpc_health_client.py", import.meta.url));

async function answer(program: string, args: readonly string[]): Promise<string> {
  const { stdout, reason } = await runCommand(program, args);
  return stdout || reason;
}

/** A tool that calls one method and prints the answer, or why there is none. */
interface Caller {
  call(address: string, method: string): Promise<string>;
  list(address: string): Promise<string>;
}

const buf: Caller = {
  call: (address, method) => answer(BUF.path, bufArguments(`http://${address}/${method}`)),
  list: (address) => answer(BUF.path, [...bufArguments(`http://${address}`), "--list-services"]),
};
const grpcurl: Caller = {
  call: (address, method) => answer(GRPCURL.path, ["-plaintext", address, method]),
  list: (address) => answer(GRPCURL.path, ["-plaintext", address, "list"]),
};

function bufArguments(url: string): string[] {
  return ["curl", "--protocol", "grpc", "--http2-prior-knowledge", url];
}

for (const [tool, caller] of [[BUF, buf], [GRPCURL, grpcurl]] as const) {
  testNeeding(
    [peerNeed(tool)],
    `${tool.name} calls all five methods and health on both loopbacks`,
    async () => {
      await using daemon = await startDaemon({ hasDefaultPorts: true });
      const { grpc_addrs: addresses, peer_id: peerId, version } = daemon.ready;
      assert.equal(addresses.length, 2);
      for (const address of addresses) {
        assert.match(await caller.call(address, `${SERVICE}/Ping`), /"message":\s*"pong"/);
        assert.match(
          await caller.call(address, `${SERVICE}/GetVersion`),
          new RegExp(`"${version}"`),
        );
        assert.match(await caller.call(address, `${SERVICE}/GetSystemInfo`), /"osName":\s*"\w+/);
        assert.match(await caller.call(address, `${SERVICE}/ListPeers`), new RegExp(`"${peerId}"`));
        assert.match(await caller.call(address, `${SERVICE}/GetGeolocation`), /unavailable/i);
        assert.match(await caller.call(address, "grpc.health.v1.Health/Check"), /"SERVING"/);
        const services = (await caller.list(address)).trim().split("\n").sort();
        assert.deepEqual(services, [...SERVICES].sort());
      }
    },
  );
}

testNeeding(
  [peerNeed(GRPCURL)],
  "grpcurl describes the five methods by reflection v1alpha too",
  async () => {
    await using daemon = await startDaemon();
    const described = await answer(GRPCURL.path, [
      "-plaintext",
      daemon.grpcAddress,
      "list",
      SERVICE,
    ]);
    assert.deepEqual(
      described.trim().split("\n").sort(),
      METHODS.map((name) => `${SERVICE}.${name}`),
    );
  },
);

testNeeding(
  [peerNeed(PYTHON_GRPC)],
  "Python's health and reflection clients understand the daemon",
  async () => {
    await using daemon = await startDaemon();
    const said = JSON.parse(await answer(PYTHON_GRPC.path, [HEALTH_CLIENT, daemon.grpcAddress]));
    const expected = {
      check: 1, // SERVING
      watch: 1,
      watch_unknown: 3, // SERVICE_UNKNOWN
      check_unknown: "NOT_FOUND",
      services: [...SERVICES].sort(),
    };
    const { methods, ...rest } = said;
    assert.deepEqual(rest, expected);
    assert.deepEqual(methods.sort(), METHODS);
  },
);
