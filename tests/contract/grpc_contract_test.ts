/** Contract 1.1: what a client in another language finds at the gRPC door. */
import { status } from "@grpc/grpc-js";
import assert from "node:assert/strict";
import type { Buffer } from "node:buffer";
import { fileURLToPath } from "node:url";
import protobuf from "protobufjs";
import descriptor from "protobufjs/ext/descriptor/index.js";
import { GrpcClient, type GrpcFailure } from "../support/grpc_client.ts";
import { LOCATION, OpenDoors, OWN_ID } from "../support/open_doors.ts";

const SERVICE = "almena.daemon.v1.DaemonService";
const HEALTH = "grpc.health.v1.Health";
const REFLECTIONS = [
  "grpc.reflection.v1.ServerReflection",
  "grpc.reflection.v1alpha.ServerReflection",
];
const PROTO = fileURLToPath(new URL("../../proto/", import.meta.url));

/** Fields by number, as contract 1.1 fixes them; they can never change again. */
const FIELDS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  PingRequest: {},
  PingResponse: { 1: "string message" },
  GetVersionRequest: {},
  GetVersionResponse: { 1: "string version" },
  GetSystemInfoRequest: {},
  GetSystemInfoResponse: { 1: "string os_name", 2: "string os_version" },
  GetGeolocationRequest: {},
  GetGeolocationResponse: {
    1: "string ip",
    2: "string city",
    3: "string region",
    4: "string country_code",
    5: "string country_name",
    6: "string timezone",
    7: "double latitude",
    8: "double longitude",
  },
  ListPeersRequest: {},
  ListPeersResponse: { 1: "repeated .almena.daemon.v1.PeerInfo peers" },
  PeerInfo: {
    1: "string peer_id",
    2: "repeated string addresses",
    3: "bool is_internal",
    4: "bool is_connected",
    5: "bool is_self",
    6: ".almena.daemon.v1.GetGeolocationResponse geo",
  },
};
const METHODS = ["Ping", "GetVersion", "GetSystemInfo", "GetGeolocation", "ListPeers"];

interface FieldProto {
  name: string;
  number: number;
  label: number;
  type: number;
  typeName?: string;
}
interface MessageProto {
  name: string;
  field: FieldProto[];
  nestedType: MessageProto[];
  enumType: { name: string; value: { name: string; number: number }[] }[];
}
interface FileProto {
  name: string;
  package: string;
  syntax?: string;
  messageType: MessageProto[];
  enumType: MessageProto["enumType"];
  service: { name: string; method: Record<string, unknown>[] }[];
}

/** Values of google.protobuf.FieldDescriptorProto.Type and Label that our files use. */
const TYPE_NAMES: Readonly<Record<number, string>> = { 1: "double", 8: "bool", 9: "string" };
const REPEATED = 3;

/** The file that defines a symbol, as the served reflection describes it. */
async function served(client: GrpcClient, symbol: string, reflection = REFLECTIONS[0] ?? "") {
  const [answer] = await client.exchange(reflection, "ServerReflectionInfo", [{
    file_containing_symbol: symbol,
  }]);
  const found = answer?.["file_descriptor_response"] as { file_descriptor_proto: Buffer[] };
  const [bytes] = found.file_descriptor_proto;
  assert.ok(bytes, `nothing describes ${symbol}`);
  return descriptor.FileDescriptorProto.decode(bytes) as unknown as FileProto;
}

/** The same file as the .proto text says. */
function written(path: string): FileProto {
  const root = new protobuf.Root();
  root.loadSync(`${PROTO}${path}`, { keepCase: true });
  root.resolveAll();
  const syntax = "proto3";
  const set = (root as unknown as { toDescriptor(syntax: string): { file: FileProto[] } })
    .toDescriptor(syntax);
  const file = set.file.find((one) => one.service.length > 0);
  assert.ok(file, path);
  return file;
}

/** What of a file matters on the wire, in a form that compares. */
function wireShape({ package: name, messageType, enumType, service }: FileProto) {
  return {
    name,
    messages: messageType.map(messageShape).sort(byName),
    enums: enumType.map(enumShape).sort(byName),
    services: service.map((one) => ({
      name: one.name,
      methods: one.method.map((method) => ({
        name: method["name"] as string,
        input: absolute(method["inputType"] as string, name),
        output: absolute(method["outputType"] as string, name),
        clientStreaming: Boolean(method["clientStreaming"]),
        serverStreaming: Boolean(method["serverStreaming"]),
      })),
    })),
  };
}

function messageShape(message: MessageProto): { name: string; [key: string]: unknown } {
  const fields = message.field.map((one) => ({
    name: one.name,
    number: one.number,
    isRepeated: one.label === REPEATED,
    type: one.type,
    of: one.typeName?.split(".").at(-1) ?? "",
  }));
  return {
    name: message.name,
    fields: fields.sort((a, b) => a.number - b.number),
    messages: message.nestedType.map(messageShape).sort(byName),
    enums: message.enumType.map(enumShape).sort(byName),
  };
}

function enumShape({ name, value }: MessageProto["enumType"][number]) {
  return { name, values: value.map((one) => `${one.number} ${one.name}`).sort() };
}

function byName(a: { name: string }, b: { name: string }): number {
  return a.name < b.name ? -1 : 1;
}

function absolute(type: string, packageName: string): string {
  return type.startsWith(".") ? type : `.${packageName}.${type}`;
}

async function failureOf(call: Promise<unknown>): Promise<GrpcFailure> {
  return await call.then(() => assert.fail("the call was answered"), (failure) => failure);
}

Deno.test("gRPC reflection describes exactly the five methods", async () => {
  await using doors = await OpenDoors.open();
  using client = new GrpcClient(doors.grpcAddress);
  const { services } = wireShape(await served(client, SERVICE));
  assert.deepEqual(services, [{
    name: "DaemonService",
    methods: METHODS.map((name) => ({
      name,
      input: `.almena.daemon.v1.${name}Request`,
      output: `.almena.daemon.v1.${name}Response`,
      clientStreaming: false,
      serverStreaming: false,
    })),
  }]);
});

Deno.test("gRPC reflection describes the fields of contract 1.1, and no others", async () => {
  await using doors = await OpenDoors.open();
  using client = new GrpcClient(doors.grpcAddress);
  const { messageType } = await served(client, SERVICE);
  const fields = messageType.map((message) => [
    message.name,
    Object.fromEntries(message.field.map((field) => {
      const type = TYPE_NAMES[field.type] ?? field.typeName;
      const words = [...(field.label === REPEATED ? ["repeated"] : []), type, field.name];
      return [field.number, words.join(" ")];
    })),
  ]);
  assert.deepEqual(Object.fromEntries(fields), FIELDS);
});

Deno.test("gRPC reflection serves what the .proto files say", async () => {
  const files = {
    [SERVICE]: "almena/daemon/v1/service.proto",
    [HEALTH]: "grpc/health/v1/health.proto",
    [REFLECTIONS[0] ?? ""]: "grpc/reflection/v1/reflection.proto",
    [REFLECTIONS[1] ?? ""]: "grpc/reflection/v1alpha/reflection.proto",
  };
  await using doors = await OpenDoors.open();
  using client = new GrpcClient(doors.grpcAddress);
  for (const [service, path] of Object.entries(files)) {
    const file = await served(client, service);
    assert.deepEqual(wireShape(file), wireShape(written(path)), path);
    assert.equal(file.syntax, "proto3");
    assert.equal(file.name, path);
  }
});

Deno.test("gRPC reflection v1 and v1alpha both list and describe every service", async () => {
  await using doors = await OpenDoors.open();
  using client = new GrpcClient(doors.grpcAddress);
  for (const reflection of REFLECTIONS) {
    const [answer] = await client.exchange(reflection, "ServerReflectionInfo", [{
      list_services: "*",
    }]);
    const { service } = answer?.["list_services_response"] as { service: { name: string }[] };
    const names = service.map(({ name }) => name).sort();
    assert.deepEqual(names, [SERVICE, HEALTH, ...REFLECTIONS].sort());
    for (const name of names) assert.ok((await served(client, name, reflection)).name);
    assert.equal((await served(client, HEALTH, reflection)).package, "grpc.health.v1");
    assert.equal((await served(client, `${SERVICE}.Ping`, reflection)).package, "almena.daemon.v1");
  }
});

Deno.test("gRPC reflection answers what it does not know with NOT_FOUND, and goes on", async () => {
  await using doors = await OpenDoors.open();
  using client = new GrpcClient(doors.grpcAddress);
  const asked = [{ file_containing_symbol: "no.Such" }, { file_by_filename: "no.proto" }, {
    file_containing_symbol: SERVICE,
  }];
  const answers = await client.exchange(REFLECTIONS[0] ?? "", "ServerReflectionInfo", asked);
  const codes = answers.map((one) =>
    (one["error_response"] as { error_code?: number } | null)?.error_code
  );
  assert.deepEqual(codes, [status.NOT_FOUND, status.NOT_FOUND, undefined]);
});

Deno.test("gRPC answers the five calls", async () => {
  await using doors = await OpenDoors.open();
  using client = new GrpcClient(doors.grpcAddress);
  assert.deepEqual(await client.call("Ping"), { message: "pong" });
  assert.deepEqual(await client.call("GetVersion"), { version: "2026.1.1-develop" });
  assert.deepEqual(await client.call("GetSystemInfo"), { os_name: "Plan 9", os_version: "4" });
  assert.deepEqual(await client.call("GetGeolocation"), {
    ip: LOCATION.ip,
    city: LOCATION.city,
    region: LOCATION.region,
    country_code: LOCATION.countryCode,
    country_name: LOCATION.countryName,
    timezone: LOCATION.timezone,
    latitude: LOCATION.latitude,
    longitude: LOCATION.longitude,
  });
  assert.deepEqual(await client.call("ListPeers"), { peers: [] });
});

Deno.test("gRPC ListPeers is self, connected, then by peer id; geo is unset when unknown", async () => {
  await using doors = await OpenDoors.open();
  using client = new GrpcClient(doors.grpcAddress);
  const { peers } = doors;
  peers.mdnsDiscovered("12D3KooWa", ["/ip4/192.168.1.5/tcp/1"]);
  peers.connectionOpened("12D3KooWz", "/ip4/8.8.8.8/tcp/2");
  peers.geoReceived("12D3KooWz", LOCATION);
  peers.setOwnAddresses(["/ip4/127.0.0.1/tcp/3"]);
  const answer = await client.call("ListPeers") as { peers: Record<string, unknown>[] };
  const shown = answer.peers.map((one) => [
    one["peer_id"],
    one["is_self"],
    one["is_connected"],
    one["is_internal"],
    (one["geo"] as { city: string } | null)?.city,
  ]);
  assert.deepEqual(shown, [
    [OWN_ID, true, true, true, undefined],
    ["12D3KooWz", false, true, false, "Bern"],
    ["12D3KooWa", false, false, true, undefined],
  ]);
});

Deno.test("gRPC refuses with the codes of the contract", async () => {
  await using doors = await OpenDoors.open();
  using client = new GrpcClient(doors.grpcAddress);
  const unknown = ["/almena.daemon.v1.DaemonService/Reboot", "/no.such.Service/Ping"];
  for (const path of unknown) {
    assert.equal((await client.callUnknown(path)).code, status.UNIMPLEMENTED, path);
  }
  doors.location = undefined;
  const { code, details } = await failureOf(client.call("GetGeolocation"));
  assert.equal(code, status.UNAVAILABLE);
  assert.match(details, /Cannot get the geolocation/);
  const large = { service: "x".repeat(5 * 1024 * 1024) };
  assert.equal((await failureOf(client.call("Check", large, HEALTH))).code, 8); // RESOURCE_EXHAUSTED
  assert.deepEqual(await client.call("Ping"), { message: "pong" });
});

Deno.test("gRPC health is per service, and follows the daemon", async () => {
  await using doors = await OpenDoors.open();
  using client = new GrpcClient(doors.grpcAddress);
  for (const service of ["", SERVICE, HEALTH]) {
    assert.deepEqual(await client.call("Check", { service }, HEALTH), { status: "SERVING" });
  }
  const refused = await failureOf(client.call("Check", { service: "no.Such" }, HEALTH));
  assert.equal(refused.code, status.NOT_FOUND);
  const watch = client.watch(HEALTH, "Watch", { service: SERVICE });
  const states = watch[Symbol.asyncIterator]();
  assert.deepEqual((await states.next()).value, { status: "SERVING" });
  doors.health.failing("grpc", "it is deaf", "restart it");
  assert.deepEqual((await states.next()).value, { status: "NOT_SERVING" });
  assert.deepEqual(await client.call("Check", {}, HEALTH), { status: "NOT_SERVING" });
  doors.health.serving("grpc");
  assert.deepEqual((await states.next()).value, { status: "SERVING" });
  watch.cancel();
});
