/** Downloads of the shared library as a page draws them: chunk by chunk, peer by peer. */
import * as z from "zod";
import { once, pause, query, stream } from "../core/mod.ts";
import type { Transfer } from "../sharing/mod.ts";
import type { Components } from "./components.ts";

/** Between two looks of a stream; whoever watches needs no more. */
const LOOK_MS = 500;

const Peer = once(() =>
  z.object({
    peer_id: z.string(),
    bytes_per_second: z.number(),
    chunks: z.number().describe("Chunks that it brought"),
    streams: z.number().describe("Chunks it is asked for now"),
    status: z.enum(["Fetching", "Idle", "Resting"]),
    is_partial: z.boolean().describe("It still fetches the item itself"),
    problem: z.string().optional().describe("Its last failure"),
  })
);
const Run = once(() =>
  z.object({
    cells: z.number(),
    state: z.enum(["Missing", "Fetching", "Done", "Kept"]).describe("Kept: here before it began"),
    peer: z.number().optional().describe("Index into peers: who brought it, or is asked"),
  })
);
const TransferJson = once(() =>
  z.object({
    id: z.string(),
    version: z.string(),
    status: z.enum(["Running", "Waiting"]).describe("Waiting: cut short by a stop; it goes on"),
    bytes_total: z.number(),
    bytes_done: z.number(),
    bytes_per_second: z.number(),
    seconds_left: z.number().optional(),
    chunk_bytes: z.number(),
    chunks_total: z.number(),
    chunks_done: z.number(),
    peers: z.array(Peer()).describe("At most 64"),
    map: z.object({
      cell_chunks: z.number().describe("Chunks a cell stands for"),
      runs: z.array(Run()).describe("At most 2,048 cells in all; empty while it waits"),
    }),
    problem: z.string().optional().describe("Why it waits, or what failed last"),
    retry_at_ms: z.number().optional().describe("Of one that waits: milliseconds since 1970"),
  })
);
const Transfers = once(() =>
  z.object({
    transfers: z.array(TransferJson()).describe("At most 64, the oldest first"),
    more: z.number().describe("How many there are beyond those; with them it is all"),
  })
);
type Uses = Pick<Components, "sharing">;

/** What is being fetched. */
export const listTransfers = query({
  name: "library.transfers",
  summary: "Downloads that run or wait: how far, how fast, and which peer brought which chunk",
  input: () => z.strictObject({}),
  output: Transfers,
  run: (_input, { sharing }: Uses) => transfersOutput(sharing),
});

/** Follows what is being fetched. */
export const watchTransfers = stream({
  name: "library.transfers_live",
  summary: "Downloads that run or wait, now and after changes, at most twice a second",
  input: () => z.strictObject({}),
  output: Transfers,
  run: async function* (_input, { sharing }: Uses, { signal }) {
    for (let last = ""; !signal.aborted; await pause(LOOK_MS, signal)) {
      const output = transfersOutput(sharing);
      const text = JSON.stringify(output);
      if (text !== last) yield output;
      last = text;
    }
  },
});

const State = once(() =>
  z.object({
    id: z.string(),
    status: z.enum(["Idle", "Running", "Waiting", "Completed", "Failed"])
      .describe("Waiting: a stop cut it short; it goes on by itself"),
    activity: z.string().optional().describe("What it is, or was last, busy with"),
    reason: z.string().optional().describe("Why it failed, or waits"),
    done_bytes: z.number().optional(),
    total_bytes: z.number().optional().describe("Where it is known beforehand"),
    bytes_per_second: z.number().optional(),
    seconds_left: z.number().optional(),
    peers: z.number().optional().describe("Peers it is fetched from"),
    damaged: z.array(z.string()).readonly().optional().describe("What a verification found"),
  })
);

/** Follows an item. */
export const watchItem = stream({
  name: "library.watch",
  summary: "What an item is busy with and how far, after every change, until it is over",
  positional: ["id"],
  input: () => z.strictObject({ id: z.string().min(1).max(128).describe("Id of an item") }),
  output: State,
  run: async function* ({ id }, { sharing }: Uses, { signal }) {
    for await (const state of sharing.watch(id, signal)) {
      const { doneBytes, totalBytes, bytesPerSecond, secondsLeft, ...rest } = state;
      const fields = {
        ...{ ...rest, done_bytes: doneBytes, total_bytes: totalBytes },
        ...{ bytes_per_second: bytesPerSecond, seconds_left: secondsLeft },
      };
      const known = Object.entries(fields).filter(([, value]) => value !== undefined);
      yield Object.fromEntries(known) as z.input<ReturnType<typeof State>>;
    }
  },
});

function transfersOutput(sharing: Uses["sharing"]): z.input<ReturnType<typeof Transfers>> {
  const { transfers, more } = sharing.transfers();
  return { transfers: transfers.map(transferOutput), more };
}

function transferOutput(transfer: Transfer): z.input<ReturnType<typeof TransferJson>> {
  const { secondsLeft, problem, retryAtMs, peers, map } = transfer;
  return {
    ...{ id: transfer.id, version: transfer.version, status: transfer.status },
    ...{ bytes_total: transfer.bytesTotal, bytes_done: transfer.bytesDone },
    bytes_per_second: transfer.bytesPerSecond,
    ...(secondsLeft === undefined ? {} : { seconds_left: secondsLeft }),
    ...{ chunk_bytes: transfer.chunkBytes },
    ...{ chunks_total: transfer.chunksTotal, chunks_done: transfer.chunksDone },
    peers: peers.map(({ peerId, bytesPerSecond, isPartial, ...peer }) => ({
      ...{ peer_id: peerId, bytes_per_second: bytesPerSecond, is_partial: isPartial, ...peer },
    })),
    map: { cell_chunks: map.cellChunks, runs: map.runs.map((run) => ({ ...run })) },
    ...(problem === undefined ? {} : { problem }),
    ...(retryAtMs === undefined ? {} : { retry_at_ms: retryAtMs }),
  };
}
