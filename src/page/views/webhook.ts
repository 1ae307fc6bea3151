import { useState } from "preact/hooks";
import { html, type View } from "../html.ts";
import { ActionButton, Badge, Card, Facts, Missing, Plain } from "../parts/basic.ts";
import { useNow } from "../parts/clock.ts";
import { useApp } from "../state/app.ts";
import { useResource } from "../state/resource.ts";
import { agoText } from "../text/figures.ts";
import { plain } from "../text/plain.ts";
import { CallError } from "../wire/calls.ts";
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
  const stats = data as unknown as WebhookStats;
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

async function test(calls: ReturnType<typeof useApp>["calls"]): Promise<void> {
  const { delivered, problem } = await calls.actAny<{ delivered: boolean; problem?: string }>(
    "webhook.test",
    {},
  );
  if (!delivered) throw new CallError("unavailable", `The test did not arrive: ${plain(problem)}`);
}

function Figures({ stats }: { stats: WebhookStats }): View {
  const now = useNow(5_000);
  const ago = (time: number | undefined) => time ? agoText(time, now) : "never";
  return html`<${Facts} of=${[
    ["Goes to", html`<code class="long"><${Plain} text=${stats.url} /></code>`],
    ...stats.delivered === undefined ? [] : [["Delivered", String(stats.delivered)] as const],
    ["Last delivery", ago(stats.last_delivery_ms)],
    [
      "Last error",
      stats.last_error
        ? html`<span class="problem"><${Plain} text=${stats.last_error} /></span> <small>${
          ago(stats.last_error_ms)
        }</small>`
        : "none",
    ],
    ["Lost", String(stats.dropped)],
    ["Held back", String(stats.circuit_skips)],
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
