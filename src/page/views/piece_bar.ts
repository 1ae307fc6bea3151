import { html, type View } from "../html.ts";
import { countText } from "../text/figures.ts";
import { endOf } from "../text/plain.ts";
import type { ChunkRun, Transfer } from "../wire/shapes.ts";

/** Colours for peers; the ninth looks like the first, and the text beside names it. */
const COLOURS = 8;
/** Peers named beside a bar. */
const MAX_NAMED = 4;
/** Stripes of a bar: more than a screen has room for are drawn together. */
const MAX_STRIPES = 240;

/** The pieces of a transfer, each in the colour of the peer it came from. */
export function PieceBar({ transfer }: { transfer: Transfer }): View {
  const { map: { runs }, bytes_done: done, bytes_total: total, chunks_done, chunks_total, peers } =
    transfer;
  const percent = total > 0 ? Math.floor(100 * done / total) : 0;
  const named = peers.slice(0, MAX_NAMED).map(({ peer_id, chunks }) =>
    `${countText(chunks, "piece")} from ${endOf(peer_id)}`
  );
  return html`
    <div class="pieces" role="progressbar" aria-valuemin="0" aria-valuemax="100"
      aria-valuenow=${percent} aria-label=${`Pieces of ${transfer.id}`}
      aria-valuetext=${`${percent} %, ${chunks_done} of ${countText(chunks_total, "piece")}. ${
        named.join(", ")
      }`} style=${{ backgroundImage: gradientOf(runs) }}></div>
  `;
}

/** Who brings the pieces, with the colour of each. */
export function PeerLegend({ transfer: { peers } }: { transfer: Transfer }): View {
  const rest = peers.length - MAX_NAMED;
  return html`<span class="peer-legend">${
    peers.slice(0, MAX_NAMED).map(({ peer_id, chunks, problem }, index) =>
      html`<span key=${peer_id} title=${problem}><i class=${`swatch peer-${index % COLOURS}`}></i>${
        endOf(peer_id)
      }: ${countText(chunks, "piece")}</span>`
    )
  }${rest > 0 ? html`<span>and ${countText(rest, "other")}</span>` : null}</span>`;
}

/** The runs as stripes, one after the other. */
export function gradientOf(runs: readonly ChunkRun[]): string {
  const total = runs.reduce((sum, { cells }) => sum + cells, 0);
  if (total === 0) return "none";
  const stops: string[] = [];
  let [at, drawn] = [0, 0];
  for (const run of runs) {
    at += run.cells;
    const end = 100 * at / total;
    if (end - drawn < 100 / MAX_STRIPES && at < total) continue;
    stops.push(`${colourOf(run)} ${percentText(drawn)} ${percentText(end)}`);
    drawn = end;
  }
  return `linear-gradient(90deg, ${stops.join(", ")})`;
}

function percentText(percent: number): string {
  return `${Math.round(percent * 100) / 100}%`;
}

function colourOf({ state, peer }: ChunkRun): string {
  if (state === "Missing") return "var(--piece-missing)";
  if (state === "Fetching") return "var(--piece-fetching)";
  if (state === "Kept" || peer === undefined) return "var(--piece-kept)";
  return `var(--peer-${peer % COLOURS})`;
}
