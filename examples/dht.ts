/** Puts a value into the DHT and gets it back. */
import { P2PDaemon } from "../src/p2pd/client/mod.ts";

const place = await Deno.makeTempDir();
const listen = Deno.build.os === "windows"
  ? "/ip4/127.0.0.1/tcp/5005"
  : `/unix${place}/example.sock`;
const text = { encode: new TextEncoder(), decode: new TextDecoder() };
const daemon = await P2PDaemon.builder().dht(true).relay(true).listen(listen).spawn();
try {
  const client = await daemon.client();
  print(`Our peer ID: ${await client.identify()}`);
  const key = text.encode.encode("/my-namespace/my-key");
  await client.dhtPutValue(key, text.encode.encode("Hello from the DHT"), 60);
  const result = await client.dhtGetValue(key, 30);
  print(`Retrieved value: ${text.decode.decode(result.value)}`);
} finally {
  await daemon.shutdown();
  await Deno.remove(place, { recursive: true });
}

function print(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
}
