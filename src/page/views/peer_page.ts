import { html, type View } from "../html.ts";
import {
  ActionButton,
  Badge,
  Card,
  CopyButton,
  Empty,
  Facts,
  Missing,
  Plain,
} from "../parts/basic.ts";
import { Qr } from "../parts/qr.ts";
import { useApp } from "../state/app.ts";
import { useResource } from "../state/resource.ts";
import { hrefOf } from "../state/route.ts";
import { countryText, reachText } from "../text/addresses.ts";
import { clockText, latencyText, rateText, spanText } from "../text/figures.ts";
import { plain, shortId } from "../text/plain.ts";
import type { Peer, Why } from "../wire/shapes.ts";
import { nameOf, wayText } from "./network_map.ts";
import { Fingerprint } from "./fingerprint.ts";
import { useAsked } from "./asked.ts";

/** Entries of the history that are shown. */
const MAX_HISTORY = 100;

/** One peer: what is known of it, and why it is or is not connected. */
export function PeerPage({ peerId, peers }: { peerId: string; peers: readonly Peer[] }): View {
  const peer = peers.find(({ peer_id }) => peer_id === peerId);
  return html`
    <div class="grid">
      <p class="wide"><a href=${hrefOf("network")}>← All peers</a></p>
      <${Card} title=${peer ? nameOf(peer) : shortId(peerId)} actions=${html`
        <${PeerActions} peerId=${peerId}
          peer=${peer} />
      `}>
          <div class="identity">
            <${Qr} text=${plain(peerId, 128)} label="The peer id as a QR code" />
            <div><p class="muted">Peer id</p><p><code class="long"><${Plain} text=${peerId} /></code></p>
              <${CopyButton} text=${peerId} what="the peer id" />
              ${peer ? html`<${Fingerprint} peerId=${peerId} />` : null}</div>
          </div>
          ${peer
            ? html`<${Facts} of=${factsOf(peer)} />`
            : html`<${Empty}>This peer was not seen since almenad started.<//>`}
        <//>
        <div class="column">
          <${WhyCard} peerId=${peerId} />
          <${Addresses} addresses=${peer?.addresses ?? []} />
        </div>
      </div>
  `;
}

function factsOf(peer: Peer) {
  const { in_bytes_per_second: down, out_bytes_per_second: up } = peer;
  const since = peer.connected_at_ms;
  const country = countryText(peer.geo?.country_code);
  const place = [peer.geo?.city, country].filter(Boolean).map((part) => plain(part, 60)).join(", ");
  return [
    [
      "State",
      html`<${Badge} tone=${peer.is_connected ? "good" : "plain"}>${
        peer.is_connected ? "connected" : "not connected"
      }<//>${since ? ` for ${spanText((Date.now() - since) / 1_000)}` : ""}`,
    ],
    ["Way", wayText(peer)],
    ...peer.direction ? [["Opened by", peer.direction === "in" ? "the peer" : "this machine"]] : [],
    ["Latency", latencyText(peer.latency_ms)],
    ...down === undefined ? [] : [["Received", rateText(down)]],
    ...up === undefined ? [] : [["Sent", rateText(up)]],
    ["Place", place || "not known"],
  ] as const;
}

function PeerActions({ peerId, peer }: { peerId: string; peer: Peer | undefined }): View {
  const { calls, resources } = useApp();
  const input = { peer_id: peerId };
  const trusted = useResource(resources.trusted).data?.peers.some((one) => one.peer_id === peerId);
  const trust = async () => {
    await calls.act("trust.request", { peer: peerId });
    resources.trusted.refresh();
  };
  const revoke = async () => {
    await calls.act("trust.revoke", { peer: peerId });
    resources.trusted.refresh();
  };
  return html`<div class="buttons">${
    peer?.is_connected
      ? html`
        <${ActionButton} label="Disconnect" done="Disconnected" tone="quiet"
          work=${() => calls.act("network.disconnect", input)} />
      `
      : html`
        <${ActionButton} label="Connect" done="Connected"
          work=${() => calls.act("network.connect", { peer: peerId })} />
      `
  }${
    trusted
      ? html`
        <${ActionButton} label="Take trust back" tone="danger" done="Trust is taken back"
          work=${revoke} />
      `
      : html`
        <${ActionButton} label="Ask for trust" done="Asked; the peer has to approve"
          work=${trust} />
      `
  }</div>`;
}

function Addresses({ addresses }: { addresses: readonly string[] }): View {
  return html`<${Card} title="Addresses">
    ${addresses.length === 0 ? html`<${Empty}>None is known.<//>` : null}
    <ul class="addresses">${
    addresses.map((address) =>
      html`<li key=${address}><code class="long"><${Plain} text=${address} /></code>
        <small>${reachText(address)}</small></li>`
    )
  }</ul><//>`;
}

function WhyCard({ peerId }: { peerId: string }): View {
  const { data, problem } = useAsked("network.why", { peer: peerId }, 2_000);
  if (!data) {
    return html`
      <${Card} title="Why">
        <${Missing} problem=${problem} what="the history" />
        <//>
    `;
  }
  const next = data.next_try_in_ms;
  return html`<${Card} title="Why">
    <p><${Plain} text=${data.summary} />${
    next === undefined ? "" : ` Next try in ${spanText(next / 1_000)}.`
  }</p>
    ${
    data.remedy
      ? html`<p class="remedy"><b>What to do:</b> <${Plain} text=${data.remedy} /></p>`
      : null
  }
    ${
    data.history.length === 0 ? html`<${Empty}>Nothing was tried since almenad started.<//>` : null
  }
    <ol class="history" aria-label="What was tried, newest first">${
    data.history.slice(0, MAX_HISTORY).map(historyRow)
  }</ol><//>`;
}

function historyRow(entry: Why["history"][number], index: number): View {
  const { time, event, ok, addresses, reason, words, count } = entry;
  return html`<li key=${`${time} ${event} ${index}`}><time>${clockText(Date.parse(time))}</time>
    <${Badge} tone=${ok ? "good" : "bad"}><${Plain} text=${event} max=${40} /><//>
    <span><${Plain} text=${words || reason} />${count > 1 ? ` (${count} times)` : ""} ${
    addresses.slice(0, 4).map((address) =>
      html`<code class="long" key=${address}><${Plain} text=${address} max=${200} /> </code>`
    )
  }</span></li>`;
}
