import { useState } from "preact/hooks";
import { html, type View } from "../html.ts";
import { Badge, Card, Facts, Plain } from "../parts/basic.ts";
import { useApp } from "../state/app.ts";
import { useResource } from "../state/resource.ts";
import { plain, shortId } from "../text/plain.ts";
import type { InputOf, OutputOf } from "../../client/mod.ts";

type Question = InputOf<"query", "policy.explain">;
type Answer = OutputOf<"query", "policy.explain">;

/** Whether a peer may use a port, and by which rule. */
export function Explain(): View {
  const { calls, notices } = useApp();
  const [question, setQuestion] = useState<Question>({ peer: "", port: 443 });
  const [answer, setAnswer] = useState<Answer | undefined>(undefined);
  const ask = async (event: Event) => {
    event.preventDefault();
    try {
      setAnswer(await calls.query("policy.explain", question));
    } catch (failure) {
      setAnswer(undefined);
      notices.tell(failure instanceof Error ? failure.message : String(failure), "bad");
    }
  };
  const change = (part: Partial<Question>) => setQuestion({ ...question, ...part });
  return html`
    <${Card} title="Explain a verdict">
      <form class="in-row" onSubmit=${ask}>
        <${PeerField} value=${question.peer} onChange=${(peer: string) => change({ peer })} />
        <label>Port <input type="number" min="0" max="65535" required value=${question.port}
            onInput=${(event: InputEvent) =>
              change({ port: Number((event.target as HTMLInputElement).value) })} /></label>
        <label>Event <select value=${question.event ?? "connect"}
            onChange=${(event: Event) =>
              change({ event: (event.target as HTMLSelectElement).value as "connect" })}>
            <option value="connect">connect</option><option value="dial">dial</option>
            <option value="datagram">datagram</option></select></label>
        <button type="submit" class="primary">Explain</button>
      </form>
      <div aria-live="polite">${answer ? html`<${Verdict} answer=${answer} />` : null}</div>
      <//>
  `;
}

function PeerField({ value, onChange }: { value: string; onChange: (peer: string) => void }): View {
  const { data } = useResource(useApp().resources.trusted);
  return html`<label>Peer <input type="text" list="known-peers" required spellcheck=${false}
      autocomplete="off" value=${value}
      onInput=${(event: InputEvent) => onChange((event.target as HTMLInputElement).value)} />
    <datalist id="known-peers">${
    (data?.peers ?? []).slice(0, 100).map(({ peer_id }) =>
      html`<option key=${peer_id} value=${peer_id}>${shortId(peer_id)}</option>`
    )
  }</datalist></label>`;
}

function Verdict({ answer }: { answer: Answer }): View {
  return html`
    <div class="verdict">
      <p>
        <${Badge} tone=${answer.allowed ? "good" : "bad"}>${answer.allowed
          ? "allowed"
          : "denied"}<//> ${shortId(answer.peer_id)}${answer.policies.length === 0
          ? ": no policy says anything about it"
          : ""}</p>${answer.policies.map((policy, index) =>
            html`
              <div key=${index} class="policy">
                <header>
                  <h3>${policy.network === 0 ? "All peers" : `Network ${policy.network}`}</h3>
                  <${Badge} tone=${policy.allowed ? "good" : "bad"}>${policy.allowed
                    ? "allows"
                    : "denies"}${policy.shadow ? ", as a shadow" : ""}<//></header>
                      <${Facts} of=${[
                        ["Rule", html`<${Plain} text=${policy.rule || "none"} max=${120} />`],
                        ["Because", html`<${Plain} text=${policy.reason || "–"} />`],
                        [
                          "Expression",
                          html`<code class="long"><${Plain} text=${policy.match || "–"} /></code>`,
                        ],
                        ...Object.entries(policy.values).slice(0, 20).map(([name, value]) =>
                          [
                            plain(name, 40),
                            html`<code class="long">${plain(JSON.stringify(value), 120)}</code>`,
                          ] as const
                        ),
                      ]} /></div>
            `
          )}</div>
  `;
}
