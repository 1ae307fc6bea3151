import { useState } from "preact/hooks";
import { html, type View } from "../html.ts";
import { ActionButton, Badge, Card, Facts, Missing, Plain } from "../parts/basic.ts";
import { useNow } from "../parts/clock.ts";
import { useApp } from "../state/app.ts";
import { useResource } from "../state/resource.ts";
import { agoText } from "../text/figures.ts";
import { plain } from "../text/plain.ts";
import { CallError, type Calls } from "../wire/calls.ts";
import type { WebhookStats } from "../wire/shapes.ts";

/** Where events go by HTTP, and what became of them. */
export function Webhook(): View {
  const { calls, resources } = useApp();
  const { data, problem } = useResource(resources.webhook);
  if (!data) {
    return html`
      <${Card} title="Webhook">
        <${Missing} problem=${problem} what="the webhook" />
        <//>
    `;
  }
  const stats: WebhookStats = data;
  const isOn = stats.url !== "";
  return html`<${Card} title="Webhook" actions=${html`<${Badge} tone=${isOn ? "good" : "plain"}>${
    isOn ? "on" : "off"
  }<//>`}>
    ${isOn ? html`<${Figures} stats=${stats} />` : html`<p class="muted">Events go nowhere.</p>`}
    <${Target} isOn=${isOn} />
    ${
    isOn
      ? html`
        <div class="buttons">
          <${ActionButton} label="Send a test" work=${() => test(calls)} done="The test arrived" />
          <${ActionButton} label="Turn off" tone="quiet" done="The webhook is off"
            work=${async () => {
              await calls.act("webhook.set", { url: "" });
              resources.webhook.refresh();
            }} />
        </div>
      `
      : null
  }
  <//>`;
}

async function test(calls: Calls): Promise<void> {
  const { ok, error } = await calls.act("webhook.test", {});
  if (!ok) throw new CallError("unavailable", `The test did not arrive: ${plain(error)}`);
}

function Figures({ stats }: { stats: WebhookStats }): View {
  const now = useNow(5_000);
  const { last_delivery: last, last_error: error } = stats;
  const when = (time: string) => agoText(Date.parse(time), now);
  return html`<${Facts} of=${[
    ["Goes to", html`<code class="long"><${Plain} text=${stats.url} /></code>`],
    ["Last delivery", last ? `${when(last.time)}: ${plain(last.event, 60)}` : "none yet"],
    [
      "Last error",
      error
        ? html`
          <span class="problem"><${Plain} text=${error.reason} /></span>
          <small>${when(error.time)}, ${plain(error.event, 60)}</small>
        `
        : "none",
    ],
    ["Delivered", String(stats.delivered)],
    ["Waiting", `${stats.queued}${stats.is_paused ? ", paused after failures" : ""}`],
    ["Failed or lost", String(stats.failed + stats.dropped + stats.circuit_skips)],
  ]} />`;
}

function Target({ isOn }: { isOn: boolean }): View {
  const app = useApp();
  const [url, setUrl] = useState("");
  const onSubmit = async (event: Event) => {
    event.preventDefault();
    const work = () => app.calls.act("webhook.set", { url: url.trim() });
    if (!await app.run(work, "Events go there from now on")) return;
    setUrl("");
    app.resources.webhook.refresh();
  };
  return html`
    <form onSubmit=${onSubmit}>
      <label>${isOn ? "Send events elsewhere" : "Send every event to this URL"}
          <input type="url" required placeholder="https://…" value=${url}
            onInput=${(event: InputEvent) =>
              setUrl((event.target as HTMLInputElement).value)} /></label>
      <button type="submit">Set</button>
    </form>
  `;
}
