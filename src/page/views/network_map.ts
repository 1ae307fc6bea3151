import { useMemo } from "preact/hooks";
import { html, type View } from "../html.ts";
import { hrefOf } from "../state/route.ts";
import { countryText } from "../text/addresses.ts";
import { countText, latencyText, rateText } from "../text/figures.ts";
import { endOf, plain, shortId } from "../text/plain.ts";
import type { Peer } from "../wire/shapes.ts";
import { MAP_SIZE, type MapNode, Places, RADIUS, rateOf, SPEEDS } from "./network_model.ts";

const MIDDLE = MAP_SIZE / 2;
/** Peers on the map up to which each has its name beside it. */
const MAX_NAMED = 24;

/** This machine in the middle, peers of the LAN around it, those of the internet farther out. */
export function NetworkMap({ peers }: { peers: readonly Peer[] }): View {
  const places = useMemo(() => new Places(), []);
  const { nodes, left } = places.arrange(peers);
  const isNamed = nodes.length <= MAX_NAMED;
  return html`
    <figure class="map">
      <svg viewBox=${`0 0 ${MAP_SIZE} ${MAP_SIZE}`} role="group"
        aria-label=${`Map: this machine and ${
          countText(nodes.length, "peer")
        }; the table says the same`}>
        <circle class="ring" cx=${MIDDLE} cy=${MIDDLE} r=${RADIUS.lan} />
        <circle class="ring" cx=${MIDDLE} cy=${MIDDLE} r=${RADIUS.internet} />
        <g>${nodes.map((node) => html`<${Edge} key=${node.peer.peer_id} node=${node} />`)}</g>
        <text class="ring-name" x=${MIDDLE} y=${MIDDLE - RADIUS.lan - 8}>local network</text>
        <text class="ring-name" x=${MIDDLE} y=${MIDDLE - RADIUS.internet - 8}>internet</text>
        <g class="self">
          <circle cx=${MIDDLE} cy=${MIDDLE} r="26" />
          <text x=${MIDDLE} y=${MIDDLE + 46}>this machine</text>
        </g>
        <g>${nodes.map((node) =>
          html`<${Node} key=${node.peer.peer_id} node=${node} isNamed=${isNamed} />`
        )}</g>
      </svg>
      <figcaption>
          <${Legend} />
          ${left > 0
            ? html`<p class="muted">${countText(left, "further peer")} in the table.</p>`
            : null}
        </figcaption>
    </figure>
  `;
}

function Edge({ node: { peer, x, y, width, speed } }: { node: MapNode }): View {
  if (!peer.is_connected) return null;
  return html`
    <line class="edge ${speed} ${peer.is_relayed ? "relayed" : ""}" x1=${MIDDLE}
      y1=${MIDDLE} x2=${x} y2=${y} stroke-width=${width.toFixed(2)} />
  `;
}

function Node(
  { node: { peer, x, y, speed }, isNamed }: { node: MapNode; isNamed: boolean },
): View {
  const side = Math.abs(x - MIDDLE) < 40 ? "middle" : x < MIDDLE ? "end" : "start";
  const dx = side === "middle" ? 0 : side === "end" ? -15 : 15;
  const dy = side !== "middle" ? 4 : y < MIDDLE ? -16 : 25;
  return html`
    <a href=${hrefOf("network", peer.peer_id)} aria-label=${peerText(peer)}
      class="node ${speed} ${peer.is_connected ? "connected" : "away"}">
        <circle class="hit" cx=${x} cy=${y} r="17" /><circle class="dot" cx=${x} cy=${y} r="9" />
        ${isNamed
          ? html`<text x=${x + dx} y=${y + dy} text-anchor=${side}>${markOf(peer)}</text>`
          : null}</a>
  `;
}

function Legend(): View {
  return html`<ul class="legend" aria-label="What the colours mean">
    ${SPEEDS.map(({ id, text }) => html`<li key=${id}><i class="swatch ${id}"></i>${text}</li>`)}
    <li><i class="swatch dashed"></i>through a relay</li>
    <li><i class="swatch thick"></i>more throughput</li>
  </ul>`;
}

// The end of its id, and its country.
function markOf({ peer_id: id, geo }: Peer): string {
  return `${endOf(id)}${geo?.country_code ? ` · ${plain(geo.country_code, 2)}` : ""}`;
}

/** A peer in few letters. */
export function nameOf(peer: Peer): string {
  return shortId(peer.peer_id);
}

/** Everything the map shows of a peer, in words. */
export function peerText(peer: Peer): string {
  const country = countryText(peer.geo?.country_code);
  return [
    markOf(peer),
    peer.is_connected ? "connected" : "not connected",
    peer.is_internal ? "local network" : "internet",
    ...peer.is_relayed ? ["through a relay"] : [],
    ...peer.latency_ms === undefined ? [] : [latencyText(peer.latency_ms)],
    ...rateOf(peer) > 0 ? [rateText(rateOf(peer))] : [],
    ...country ? [country] : [],
  ].join(", ");
}

/** How a peer is reached, in words. */
export function wayText(peer: Peer): string {
  const place = peer.is_internal ? "local network" : "internet";
  return peer.is_relayed ? `${place}, relayed` : place;
}
