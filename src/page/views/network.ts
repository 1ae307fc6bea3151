import { useState } from "preact/hooks";
import { html, type View } from "../html.ts";
import { ActionButton, Badge, Card, Empty, Missing } from "../parts/basic.ts";
import { VirtualTable } from "../parts/virtual_rows.ts";
import { useApp } from "../state/app.ts";
import { useResource } from "../state/resource.ts";
import { hrefOf } from "../state/route.ts";
import { useStore } from "../state/store.ts";
import { countryText } from "../text/addresses.ts";
import { countText, latencyText, rateText } from "../text/figures.ts";
import { type Peer, withLinks } from "../wire/shapes.ts";
import { nameOf, NetworkMap, wayText } from "./network_map.ts";
import { rateOf } from "./network_model.ts";
import { PeerPage } from "./peer_page.ts";

/** Who is there and how they are reached: as a picture, and as a table. */
export function Network(): View {
  const app = useApp();
  const { detail } = useStore(app.route);
  const { data, problem } = useResource(app.resources.peers);
  const { data: links } = useResource(app.resources.links);
  if (!data) return html`<${Missing} problem=${problem} what="the peers" />`;
  const peers = withLinks(data.peers, links?.links ?? []);
  if (detail) return html`<${PeerPage} key=${detail} peerId=${detail} peers=${peers} />`;
  const others = peers.filter(({ is_self }) => !is_self);
  const connected = others.filter(({ is_connected }) => is_connected).length;
  return html`
    <div class="grid network">
      <${Card} title="Map" actions=${html`<small>${connected} of ${
        countText(others.length, "peer")
      } connected</small>`}>
        <${NetworkMap} peers=${peers} />
        <//>
        <${Card} title="Peers" actions=${html`<${ConnectForm} />`}>
          <${VirtualTable} label="Peers" layout="peers" rows=${others} keyOf=${keyOf}
            columns=${[
              "Peer",
              "State",
              "Way",
              "Latency",
              "Throughput",
              "Country",
            ]} cellsOf=${cellsOf}
            empty=${html`<${Empty}>Nobody was found yet. Start almenad on another machine of this
          network, or use a ticket under Trust.<//>`} />
          <//>
          </div>
  `;
}

const keyOf = (peer: Peer) => peer.peer_id;

function cellsOf(peer: Peer) {
  return [
    html`<a href=${hrefOf("network", peer.peer_id)}><bdi>${nameOf(peer)}</bdi></a>`,
    html`<${Badge} tone=${peer.is_connected ? "good" : "plain"}>${
      peer.is_connected ? "connected" : "away"
    }<//>`,
    wayText(peer),
    latencyText(peer.latency_ms),
    peer.in_bytes_per_second === undefined ? "–" : rateText(rateOf(peer)),
    countryText(peer.geo?.country_code) || "–",
  ];
}

function ConnectForm(): View {
  const app = useApp();
  const [address, setAddress] = useState("");
  return html`
    <form class="inline" onSubmit=${(event: Event) => event.preventDefault()}>
      <label class="field"><span class="hidden">Peer id or address to connect to</span>
          <input type="text" spellcheck=${false} autocomplete="off" placeholder="Peer id or address"
            value=${address}
            onInput=${(event: InputEvent) =>
              setAddress((event.target as HTMLInputElement).value)} />
        </label>
      <${ActionButton} label="Connect" disabled=${!address.trim()} done="Connected"
        work=${() => app.calls.act("network.connect", { peer: address.trim() })} />
    </form>
  `;
}
