import { html, type View } from "../html.ts";
import { ActionButton, Badge, Card, Empty, Missing, Plain } from "../parts/basic.ts";
import { useNow } from "../parts/clock.ts";
import { VirtualTable } from "../parts/virtual_rows.ts";
import { useApp } from "../state/app.ts";
import { useResource } from "../state/resource.ts";
import { hrefOf } from "../state/route.ts";
import { agoText, countText } from "../text/figures.ts";
import { plain, shortId } from "../text/plain.ts";
import type { TrustedPeer, TrustRequest } from "../wire/shapes.ts";
import { Invite } from "./invite.ts";
import { isNew } from "./waiting.ts";

/** Requests shown at once; the others come when these are answered. */
const MAX_SHOWN = 40;

/** Who asks to be trusted, who is, and how to invite. */
export function Trust(): View {
  return html`
    <div class="grid">
      <${Inbox} />
      <div class="column">
        <${Invite} />
      </div>
      <div class="column">
        <${Outgoing} />
        <${TrustedPeers} />
      </div>
    </div>
  `;
}

function Inbox(): View {
  const app = useApp();
  const { data, problem } = useResource(app.resources.pending);
  const now = useNow(5_000);
  const requests: readonly TrustRequest[] = data?.requests ?? [];
  const waiting = requests.filter(isNew);
  const aside = requests.filter((request) => !isNew(request));
  return html`<${Card} title="Requests" wide actions=${html`<small aria-live="polite">${
    countText(waiting.length, "request waits", "requests wait")
  }</small>`}>
    ${data ? null : html`<${Missing} problem=${problem} what="the requests" />`}
    ${data && waiting.length === 0 ? html`<${Empty}>Nobody waits for an answer.<//>` : null}
    <ul class="requests">${
    waiting.slice(0, MAX_SHOWN).map((request) =>
      html`<${Request} key=${request.peer_id} request=${request} now=${now} />`
    )
  }</ul>
    ${
    waiting.length > MAX_SHOWN
      ? html`<p class="muted">${
        countText(waiting.length - MAX_SHOWN, "further request")
      } below these.</p>`
      : null
  }
    ${aside.length > 0 ? html`<${PutAside} requests=${aside} now=${now} />` : null}
  <//>`;
}

function Request({ request, now }: { request: TrustRequest; now: number }): View {
  const { calls, resources } = useApp();
  const { peer_id: peer, received_at: receivedAt } = request;
  const name = request.name ? plain(request.name, 60) : shortId(peer);
  const answer = async (verb: "approve" | "reject" | "later" | "ignore") => {
    await calls.act(`trust.${verb}`, { peer });
    resources.pending.refresh();
    resources.trusted.refresh();
  };
  return html`
    <li class="request">
      <div>
        <h3><bdi>${name}</bdi></h3>
        <p class="words">${request.words.length > 0
          ? html`<${Plain} text=${request.words.join(" ")} max=${200} />`
          : html`<code class="long">${plain(peer, 80)}</code>`}</p>
        <p>${request.justification
          ? html`<q><${Plain} text=${request.justification} /></q>`
          : html`<span class="muted">No reason given.</span>`}</p>
        <p class="muted"><a href=${hrefOf("network", peer)}>${shortId(peer)}</a>, asked
            <time datetime=${receivedAt}> ${agoText(Date.parse(receivedAt), now)}</time></p>
      </div>
      <div class="buttons">
        <${ActionButton} label="Approve" title=${`Approve ${name}`} tone="primary"
          done=${`${name} is trusted`} work=${() => answer("approve")} />
        <${ActionButton} label="Reject" title=${`Reject ${name}`} tone="danger"
          done=${`${name} was rejected`} work=${() => answer("reject")} />
        <${ActionButton} label="Later" title=${`Decide on ${name} later`} tone="quiet"
          done=${`${name} waits until later`} work=${() => answer("later")} />
        <${ActionButton} label="Ignore" title=${`Ignore ${name}`} tone="quiet"
          done=${`${name} is ignored`} work=${() => answer("ignore")} />
      </div>
    </li>
  `;
}

function PutAside({ requests, now }: { requests: readonly TrustRequest[]; now: number }): View {
  return html`
    <details>
      <summary>${countText(requests.length, "request")} put aside</summary>
      <ul class="requests">${requests.slice(0, MAX_SHOWN).map((request) =>
        html`<${Request} key=${request.peer_id} request=${request} now=${now} />`
      )}</ul>
    </details>
  `;
}

function Outgoing(): View {
  const { data } = useResource(useApp().resources.trusted);
  const now = useNow(5_000);
  return html`<${Card} title="Asked by this machine">
    ${data?.outgoing.length ? null : html`<${Empty}>This machine waits for nobody's answer.<//>`}
    <ul class="plain-list">${
    (data?.outgoing ?? []).slice(0, MAX_SHOWN).map(({ peer_id, sent_at }) =>
      html`<li key=${peer_id}><a href=${hrefOf("network", peer_id)}>${shortId(peer_id)}</a>
        <small>asked ${agoText(Date.parse(sent_at), now)}</small></li>`
    )
  }</ul><//>`;
}

function TrustedPeers(): View {
  const { data, problem } = useResource(useApp().resources.trusted);
  return html`<${Card} title="Trusted peers">
    ${data ? null : html`<${Missing} problem=${problem} what="the trusted peers" />`}
    ${
    data
      ? html`
        <${VirtualTable} label="Trusted peers" layout="trusted" rows=${data.peers}
          keyOf=${(peer: TrustedPeer) => peer.peer_id} columns=${[
            "Peer",
            "Since",
            "Both ways",
            "Action",
          ]}
          cellsOf=${trustedCells} empty=${html`<${Empty}>No peer is trusted yet.<//>`} />
      `
      : null
  }
  <//>`;
}

function trustedCells(peer: TrustedPeer) {
  return [
    html`<a href=${hrefOf("network", peer.peer_id)}>${shortId(peer.peer_id)}</a>`,
    new Date(peer.approved_at).toLocaleDateString(),
    html`<${Badge} tone=${peer.mutual ? "good" : "plain"}>${peer.mutual ? "yes" : "not yet"}<//>`,
    html`<${Revoke} peerId=${peer.peer_id} />`,
  ];
}

function Revoke({ peerId }: { peerId: string }): View {
  const { calls, resources } = useApp();
  const work = async () => {
    await calls.act("trust.revoke", { peer: peerId });
    resources.trusted.refresh();
  };
  return html`
    <${ActionButton} label="Take back" title=${`Take back the trust in ${shortId(peerId)}`}
      tone="quiet" done="Trust is taken back" work=${work} />
  `;
}
