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
import type { Attempt, Peer } from "../wire/shapes.ts";
import { nameOf } from "./network_map.ts";
import { wayText } from "./network.ts";
import { useAsked } from "./asked.ts";

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
              <${CopyButton} text=${peerId} what="the peer id" /></div>
          </div>
          ${peer
            ? html`<${Facts} of=${factsOf(peer)} />`
            : html`<${Empty}>This peer was not seen since almenad started.<//>`}
        <//>
        <${Addresses} addresses=${peer?.addresses ?? []} />
        <${Why} peerId=${peerId} />
      </div>
  `;
}

function factsOf(peer: Peer) {
  const { in_bytes_per_second: down, out_bytes_per_second: up } = peer;
  const since = peer.connected_at_ms;
  const country = countryText(peer.geo?.country_code || peer.country_code);
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

function Why({ peerId }: { peerId: string }): View {
  const { data, problem } = useAsked<{ attempts: readonly Attempt[] }>(
    "network.why",
    { peer_id: peerId },
    3_000,
  );
  return html`<${Card} title="What was tried" wide>
    ${data ? null : html`<${Missing} problem=${problem} what="the history" />`}
    ${data?.attempts.length === 0 ? html`<${Empty}>Nothing since almenad started.<//>` : null}
    <ol class="history">${
    [...data?.attempts ?? []].reverse().map((attempt, index) =>
      html`<li key=${`${attempt.time_ms}-${index}`}><time>${clockText(attempt.time_ms)}</time>
        <${Badge} tone=${
        attempt.outcome === "connected" ? "good" : attempt.outcome === "failed" ? "bad" : "plain"
      }><${Plain} text=${attempt.outcome} max=${40} /><//>
        <span>${
        attempt.address
          ? html`
            <code class="long"><${Plain} text=${attempt.address} /></code>
          `
          : null
      }
          <${Plain} text=${attempt.reason} />${
        attempt.duration_ms === undefined ? "" : ` (${latencyText(attempt.duration_ms)})`
      }</span></li>`
    )
  }</ol><//>`;
}
