import { useState } from "preact/hooks";
import { html, type View } from "../html.ts";
import { ActionButton, Badge, Card, Empty, Facts, Missing, Plain } from "../parts/basic.ts";
import { useApp } from "../state/app.ts";
import { useResource } from "../state/resource.ts";
import { clockText } from "../text/figures.ts";
import { plain, shortId } from "../text/plain.ts";
import type { Policy, ShadowVerdict } from "../wire/shapes.ts";
import { useAsked } from "./asked.ts";

/** Names of figures that stand in the heading already. */
const SAID = ["network", "mode", "started_at"];

/** Verdicts of shadows that are shown. */
const MAX_VERDICTS = 20;

/** Running policies, and what shadows would have decided. */
export function PolicyList(): View {
  const { data, problem } = useResource(useApp().resources.policies);
  return html`<${Card} title="Policies">
    ${data ? null : html`<${Missing} problem=${problem} what="the policies" />`}
    ${
    data?.policies.length === 0
      ? html`<${Empty}>No policy runs: every trusted peer may use every port that is open.<//>`
      : null
  }
    ${
    (data?.policies ?? []).map((policy) =>
      html`<${PolicyRow} key=${keyOf(policy)} policy=${policy} />`
    )
  }
    <${StartPolicy} />
    <${Shadow} />
  <//>`;
}

function keyOf(policy: Policy): string {
  return `${policy["network"]} ${policy["mode"]}`;
}

function PolicyRow({ policy }: { policy: Policy }): View {
  const { calls, resources } = useApp();
  const network = Number(policy["network"]);
  const shadow = policy["mode"] === "shadow";
  const figures = Object.entries(policy)
    .filter(([name, value]) => !SAID.includes(name) && ["number", "string"].includes(typeof value))
    .map(([name, value]) => [plain(name.replaceAll("_", " "), 40), plain(value, 80)] as const);
  const stop = async () => {
    await calls.act("policy.stop", { network, shadow });
    resources.policies.refresh();
  };
  return html`
    <div class="policy">
      <header>
        <h3>${network === 0 ? "All peers" : `Network ${network}`}</h3>
        <${Badge} tone=${shadow ? "plain" : "accent"}>${shadow ? "shadow" : "active"}<//>
          <${ActionButton} label="Stop" tone="quiet" done="The policy is stopped" work=${stop}
            title=${`Stop the ${shadow ? "shadow " : ""}policy of network ${network}`} />
        </header><${Facts} of=${figures} /></div>
  `;
}

function StartPolicy(): View {
  const { calls, resources } = useApp();
  const [text, setText] = useState("");
  const [network, setNetwork] = useState("0");
  const start = (shadow: boolean) => async () => {
    await calls.act("policy.start", { network: Number(network), policy: text, shadow });
    resources.policies.refresh();
  };
  return html`
    <details>
      <summary>Start or try a policy</summary>
      <label>Network, 0 for all peers <input type="number" min="0" max="65535" value=${network}
          onInput=${(event: InputEvent) =>
            setNetwork((event.target as HTMLInputElement).value)} /></label>
      <label>Document, as JSON <textarea rows="6" spellcheck=${false} value=${text}
          onInput=${(event: InputEvent) =>
            setText((event.target as HTMLTextAreaElement).value)} /></label>
      <div class="buttons">
        <${ActionButton} label="Start" tone="primary" disabled=${!text
          .trim()} done="The policy runs"
          work=${start(false)} />
        <${ActionButton} label="Try as shadow" disabled=${!text.trim()} work=${start(true)}
          done="It runs as a shadow: it denies nothing, and tells what it would deny" />
      </div>
    </details>
  `;
}

function Shadow(): View {
  const { data } = useAsked("policy.shadow", {}, 3_000);
  if (!data || data.policies.length === 0) return null;
  const denied = data.policies.reduce((sum, { would_deny }) => sum + would_deny, 0);
  const allowed = data.policies.reduce((sum, { allowed }) => sum + allowed, 0);
  return html`
    <h3>What shadows would decide</h3>
    <p class="muted">${allowed} allowed, ${denied} would be denied</p>
    <ol class="history">${data.verdicts.slice(0, MAX_VERDICTS).map(verdictRow)}</ol>
  `;
}

function verdictRow(
  { time, peer_id: peer, port, event, rule, reason, count }: ShadowVerdict,
): View {
  return html`<li key=${`${time} ${peer} ${port} ${event}`}><time>${
    clockText(Date.parse(time))
  }</time>
    <${Badge} tone="bad">would deny<//>
    <span>${plain(event, 20)} of ${shortId(peer)} at port ${port}${
    count > 1 ? `, ${count} times` : ""
  }: <${Plain} text=${rule || reason} max=${160} /></span></li>`;
}
