/**
 * Makes docs/interop.md: every client against every daemon, verb by verb.
 *
 *     deno task interop
 */
import { isPrepared } from "../foreign_peers.ts";
import { GO_P2PD } from "../go_p2pd.ts";
import { P2pd } from "../p2pd_process.ts";
import {
  HIVEMIND,
  hivemindClient,
  javascriptClient,
  type Outcomes,
  ownClient,
  PYTHON_P2PCLIENT,
  pythonClient,
} from "./clients.ts";

const FLAGS = ["-dhtServer", "-pubsub"];
const TCP = "/ip4/127.0.0.1/tcp/0";

/** Outcomes by column. */
export type Matrix = Record<string, Outcomes>;

/** Runs every client that is there. */
export async function runMatrix(): Promise<Matrix> {
  const matrix: Matrix = {};
  const peerKind = isPrepared(GO_P2PD) ? "go" : "almenad";
  const column = async (name: string, run: (ours: P2pd, other: P2pd) => Promise<Outcomes>) => {
    await using other = await P2pd.start(peerKind, { flags: FLAGS });
    const listen = name.startsWith("npm") ? { listen: TCP } : {};
    await using ours = await P2pd.start("almenad", { flags: FLAGS, ...listen });
    matrix[name] = await run(ours, other);
  };
  await column("P2PClient → almenad", (ours, other) => ownClient(ours, other));
  await column("npm @libp2p/daemon-client 10.0.16 → almenad", javascriptClient);
  if (isPrepared(PYTHON_P2PCLIENT)) await column("PyPI p2pclient 0.3.0 → almenad", pythonClient);
  if (isPrepared(HIVEMIND)) {
    matrix["hivemind 1.1.12 P2P → almenad"] = await hivemindClient(peerKind);
  }
  if (peerKind === "go") {
    await column("P2PClient → Go p2pd", (ours, go) => ownClient(go, ours));
  }
  return matrix;
}

/** The matrix as Markdown. */
export function matrixText(matrix: Matrix): string {
  const columns = Object.keys(matrix);
  const verbs = [...new Set(columns.flatMap((name) => Object.keys(matrix[name] ?? {})))];
  const notes: string[] = [];
  const cell = (column: string, verb: string) => {
    const outcome = matrix[column]?.[verb];
    if (outcome === undefined) return "–";
    if (outcome === "ok") return "ok";
    notes.push(`${column}, ${verb}: ${outcome.replaceAll("|", "/").replaceAll("\n", " ")}`);
    return `failed [${notes.length}]`;
  };
  const rows = verbs.map((verb) =>
    `| ${verb} | ${columns.map((column) => cell(column, verb)).join(" | ")} |`
  );
  return [
    "# p2pd: clients and verbs",
    "",
    "Made by `deno task interop`. Each client drives a daemon that speaks to a Go p2pd (the one of",
    "`hivemind==1.1.12`) as its peer; the last column drives that Go p2pd with almenad as the peer.",
    "A dash: the client has no such call. STREAM_OPEN speaks ping, since this Go p2pd has no echo; the",
    "Go column stores a /pk/ record, since it refuses the open key that the other columns store.",
    "`out` is what programs of the daemon ask of the peer's programs, `in` the other way round.",
    "",
    "hivemind starts almenad as its p2pd, as it would the one that it ships. Its package imports torch;",
    "its parts for the network (P2P, DHTNode) do not use it and run here without. The Go client library",
    "`p2pclient` takes no part: the Go module proxy refuses its module (`403 Forbidden`, 2026-11-21).",
    "",
    `| verb | ${columns.join(" | ")} |`,
    `|---|${columns.map(() => "---|").join("")}`,
    ...rows,
    "",
    ...notes.map((note, at) => `${at + 1}. ${note}`),
    "",
  ].join("\n");
}

if (import.meta.main) {
  const text = matrixText(await runMatrix());
  await Deno.mkdir(new URL("../../../docs", import.meta.url), { recursive: true });
  await Deno.writeTextFile(new URL("../../../docs/interop.md", import.meta.url), text);
  await Deno.stdout.write(new TextEncoder().encode(text));
}
