import { useEffect } from "preact/hooks";
import { html, type View } from "../html.ts";
import { Badge, Card, CopyButton, Empty, Facts, Missing, Plain } from "../parts/basic.ts";
import { useNow } from "../parts/clock.ts";
import { Qr } from "../parts/qr.ts";
import { useApp } from "../state/app.ts";
import { useResource } from "../state/resource.ts";
import { hrefOf } from "../state/route.ts";
import { isRelayed, reachOf, reachText } from "../text/addresses.ts";
import { countText, spanText } from "../text/figures.ts";
import type { OutputOf } from "../../client/mod.ts";
import { Fingerprint } from "./fingerprint.ts";
import { useHealth, useStateWord } from "./state_light.ts";
import { useWaiting } from "./waiting.ts";

type Status = OutputOf<"query", "core.status">;

/** The daemon at a glance. */
export function Overview(): View {
  const app = useApp();
  const { data: status, problem } = useResource(app.resources.status);
  if (!status) return html`<${Missing} problem=${problem} what="the state of almenad" />`;
  return html`
    <div class="grid">
      <${Hero} status=${status} />
      <div class="column">
        <${HealthCard} />
        <${Addresses} status=${status} />
      </div>
      <div class="column">
        <${Identity} status=${status} />
        <${Doors} status=${status} />
      </div>
    </div>
  `;
}

function Hero({ status }: { status: Status }): View {
  const app = useApp();
  const { tone, word, detail } = useStateWord();
  const { data } = useResource(app.resources.peers);
  const waiting = useWaiting();
  const connected = (data?.peers ?? []).filter((peer) => peer.is_connected && !peer.is_self).length;
  const now = useNow(1_000);
  const { data: version } = useResource(app.resources.version);
  const upSince = useUpSince(status);
  useEffect(() => void performance.mark("useful"), []); // the page shows how the daemon fares
  return html`
    <section class="hero wide ${tone}" aria-label="At a glance">
      <div class="headline"><span class="lamp" aria-hidden="true"></span>
          <div><p class="big">${word}</p><p class="muted">${detail}</p></div></div>
      <ul class="tiles">
        <li><a href=${hrefOf("network")}><b>${connected}</b><span>${connected === 1
          ? "peer connected"
          : "peers connected"}</span></a></li>
        <li><a href=${hrefOf("trust")}><b>${waiting}</b><span>${waiting === 1
          ? "request waits"
          : "requests wait"}</span></a></li>
        <li><b class="figure">${spanText((now - upSince) / 1_000)}</b><span>up</span></li>
        <li><b class="figure">${status.version.split("-")[0]}</b><span title=${version
          ?.runtime}>version</span></li>
      </ul>
    </section>
  `;
}

const HEALTH_WORDS = {
  ok: ["good", "works"],
  warning: ["warn", "warning"],
  failing: ["bad", "not well"],
} as const;

function HealthCard(): View {
  const health = useHealth() ?? [];
  return html`
    <${Card} title="Health">
      <ul class="health">${health.map(({ component, state, problem, remedy }) => {
        const [tone, word] = HEALTH_WORDS[state];
        return html`
          <li key=${component}>
            <${Badge} tone=${tone}>${word}<//>
                  <div><b>${component}</b>${state === "ok" ? null : html`
                    <p>
                      <${Plain} text=${problem} />
                    </p>
                    <p class="remedy"><b>What to do:</b> <${Plain} text=${remedy} /></p>
                  `}</div></li>
        `;
      })}</ul>
      <//>
  `;
}

function Identity({ status }: { status: Status }): View {
  return html`
    <${Card} title="Identity">
      <div class="identity">
        <${Qr} text=${status.peer_id} label="The peer id as a QR code" />
        <div>
          <p class="muted">Peer id</p>
          <p><code class="long">${status.peer_id}</code></p>
          <${CopyButton} text=${status.peer_id} what="the peer id" />
          <${Fingerprint} peerId=${status.peer_id} />
        </div>
      </div>
      <${Facts} of=${[
        ["Instance", status.instance || "default"],
        ["Process", String(status.pid)],
        ["Data folder", html`<code class="long">${status.data_dir}</code>`],
      ]} />
      <//>
  `;
}

function Addresses({ status }: { status: Status }): View {
  const addresses = status.p2p_addrs;
  return html`<${Card} title="Reachability">
    <${Reachability} status=${status} />
    <h3>Addresses for peers</h3>
    ${
    addresses.length === 0
      ? html`<${Empty}>None yet: no network interface has an address.<//>`
      : null
  }
    <ul class="addresses">${
    addresses.map((address) =>
      html`<li key=${address}><code class="long">${address}</code>
        <small>${reachText(address)}</small>
        <${CopyButton} text=${address} what=${`the address ${address}`} /></li>`
    )
  }</ul>
  <//>`;
}

function Reachability({ status }: { status: Status }): View {
  const { data } = useResource(useApp().resources.reach);
  const isRelayedOnly = (data?.relay_addresses.length ?? 0) > 0 || status.p2p_addrs.some(isRelayed);
  const [tone, word, why] = data?.reachability === "public"
    ? ["good", "direct", "Other machines reach this one without help."]
    : isRelayedOnly
    ? ["accent", "relayed", "Machines outside reach this one through a relay."]
    : data?.reachability === "private"
    ? ["warn", "local only", "Machines outside tried to reach this one, and could not."]
    : ["plain", "unknown", unknownText(status.p2p_addrs)];
  return html`
    <p class="reach">
      <${Badge} tone=${tone}>${word}<//>
        <span>${why}</span></p>
  `;
}

function unknownText(addresses: readonly string[]): string {
  return addresses.some((address) => reachOf(address) === "internet")
    ? "This machine has public addresses; whether they can be dialled from outside is not known yet."
    : "Machines of the local network find this one; from outside nobody has tried yet.";
}

function Doors({ status }: { status: Status }): View {
  const { data } = useResource(useApp().resources.peers);
  const known = (data?.peers.length ?? 1) - 1;
  return html`
    <${Card} title="Doors">
      <${Facts} of=${[
        ["This page and REST", html`<code class="long">http://${status.rest_addr}</code>`],
        ["gRPC", html`<code class="long">${status.grpc_addrs.join("  ")}</code>`],
        ["Control socket", html`<code class="long">${status.control_addr || "none"}</code>`],
        ["Peers seen since start", countText(Math.max(0, known), "peer")],
      ]} />
      <p class="links"><a href="/swagger-ui/">REST, documented</a> <a href="/graphql">GraphQL</a>
          <a href="/metrics">Metrics</a></p>
      <//>
  `;
}

// Kept as a moment, so that the clock runs on between two answers.
function useUpSince(status: Status): number {
  const moment = upSince.get(status) ?? Date.now() - status.uptime_s * 1_000;
  upSince.set(status, moment);
  return moment;
}

const upSince = new WeakMap<Status, number>();
