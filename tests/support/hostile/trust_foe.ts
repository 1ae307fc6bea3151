/**
 * A stranger at port 444, on a host of its own: `trust_foe.ts <multiaddr> <identities> <requests>`.
 * Sends what must be refused, then requests without end, and prints how each was answered, as JSON.
 */
import { generateKeyPair } from "@libp2p/crypto/keys";
import { peerIdFromPrivateKey } from "@libp2p/peer-id";
import { noise } from "@chainsafe/libp2p-noise";
import { yamux } from "@chainsafe/libp2p-yamux";
import { tcp } from "@libp2p/tcp";
import { multiaddr } from "@multiformats/multiaddr";
import { createLibp2p } from "libp2p";
import { randomBytes } from "node:crypto";
import process from "node:process";
import { PeerStream } from "../../../src/network/peer_stream.ts";
import { nodeNumber } from "../../../src/plugins/mod.ts";
import { SigningKey } from "../../../src/plugins/signing.ts";
import { signMessage } from "../../../src/plugins/trust/messages.ts";

const [address = "", identities = "1", requests = "1"] = process.argv.slice(2);
const target = address.split("/p2p/")[1] ?? "";
const PORT = "/almena/port/444/1.0";

/** Somebody new, with a link to the target. */
async function stranger() {
  const privateKey = await generateKeyPair("Ed25519");
  const peerId = peerIdFromPrivateKey(privateKey).toString();
  const key = new SigningKey({ peerId, raw: privateKey.raw });
  const node = await createLibp2p({
    ...{ privateKey, transports: [tcp()], connectionEncrypters: [noise()] },
    streamMuxers: [yamux()],
  });
  const signer = {
    peerId: () => peerId,
    nodeId: () => nodeNumber(peerId),
    identity: () => ({ peerId, publicKey: key.publicKey! }),
    sign: (message: Uint8Array) => key.sign(message),
  };
  const make = (at = Date.now(), to = target) =>
    signMessage(
      signer,
      to,
      { type: "handshake_request", justification: "let me in \u001b[31m" },
      at,
      randomBytes(16),
    );
  for (let tries = 0;; tries++) {
    try {
      await node.dial(multiaddr(address), { signal: AbortSignal.timeout(5_000) });
      break;
    } catch (failure) {
      if (tries > 100) throw failure; // a host gets 10 new connections a second
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }
  return { node, peerId, make };
}

type Stranger = Awaited<ReturnType<typeof stranger>>;

/** Sends bytes to port 444. @returns The answer's word; empty when the link was cut. */
async function send({ node }: Stranger, bytes: Uint8Array): Promise<string> {
  try {
    const signal = AbortSignal.timeout(5_000);
    // Cut off, it comes back, as often as it is let in.
    const connection = node.getConnections()[0] ?? await node.dial(multiaddr(address), { signal });
    const stream = new PeerStream(await connection.newStream(PORT, { signal }), connection);
    const writing = stream.write(bytes, signal).then(() => stream.closeWrite(signal));
    writing.catch(() => undefined); // it was answered, or cut, before all was sent
    const answer = await stream.read();
    return new TextDecoder().decode(answer);
  } catch {
    return "";
  }
}

const text = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));

/** Messages that must be refused, one by one. */
async function refusals(eve: Stranger, mallory: Stranger): Promise<Record<string, string>> {
  const good = eve.make();
  const old = Date.now() - 301_000;
  const cases: Record<string, unknown> = {
    garbage: "?",
    "no signature": { ...eve.make(), signature: "" },
    "forged signature": { ...eve.make(), signature: btoa("x".repeat(64)) },
    "changed text": { ...eve.make(), justification: "trust me" },
    "another peer's key": { ...eve.make(), public_key: mallory.make().public_key },
    "another peer's message": mallory.make(),
    "for somebody else": eve.make(Date.now(), mallory.peerId),
    old: eve.make(old),
    future: eve.make(Date.now() + 60_000),
    "accept never asked for": { ...eve.make(), type: "handshake_accept" },
    "1 MiB": { ...good, justification: "\u0007\u202e".repeat(350_000) },
  };
  const answers: Record<string, string> = {};
  for (const [name, message] of Object.entries(cases)) {
    answers[name] = await send(eve, text(message));
  }
  const once = eve.make();
  answers["honest"] = await send(eve, text(once));
  answers["replayed"] = await send(eve, text(once));
  answers["a mallory's replay"] = await send(mallory, text(once));
  return answers;
}

async function main(): Promise<void> {
  const crowd: Stranger[] = [];
  for (let n = 0; n < Number(identities); n++) crowd.push(await stranger());
  const [eve, mallory] = crowd as [Stranger, Stranger];
  const answers = await refusals(eve, mallory);
  const words: Record<string, number> = {};
  await Promise.all(crowd.map(async (one) => {
    for (let n = 0; n < Number(requests); n++) {
      const word = await send(one, text(one.make()));
      words[word] = (words[word] ?? 0) + 1;
    }
  }));
  process.stdout.write(`${JSON.stringify({ event: "done", answers, words, eve: eve.peerId })}\n`);
  for (const { node } of crowd) await node.stop();
}

await main();
process.exit(0);
