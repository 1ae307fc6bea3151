/** Starts a p2pd, asks who it is, registers three protocols, and ends it. */
import { P2PDaemon } from "../src/p2pd/client/mod.ts";

const place = await Deno.makeTempDir();
const listen = Deno.build.os === "windows"
  ? "/ip4/127.0.0.1/tcp/5005"
  : `/unix${place}/example.sock`;
const daemon = await P2PDaemon.builder().listen(listen).hostAddrs(["/ip4/127.0.0.1/tcp/0"]).spawn();
try {
  print(`Daemon runs as process ${daemon.pid}`);
  const client = await daemon.client();
  print(`Our peer ID: ${await client.identify()}`);
  for (const protocol of ["/example/echo/1", "/example/upper/1", "/example/count/1"]) {
    await client.registerStreamHandler([protocol], ({ socket }) => void socket.end("done"));
    print(`Serves ${protocol}`);
  }
  print(`Connected peers: ${(await client.listPeers()).length}`);
  await client.close();
} finally {
  const { code, signal } = await daemon.shutdown();
  print(`Daemon ended with ${signal ?? `code ${code}`}`);
  await Deno.remove(place, { recursive: true });
}

function print(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
}
