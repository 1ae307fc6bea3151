import { html, type View } from "../html.ts";
import { Badge, Card, Empty, Missing, Plain } from "../parts/basic.ts";
import { useApp } from "../state/app.ts";
import { useResource } from "../state/resource.ts";
import { countText } from "../text/figures.ts";
import { plain } from "../text/plain.ts";
import type { OutputOf } from "../../client/mod.ts";
import { Explain } from "./explain.ts";
import { PolicyList } from "./policies.ts";
import { Webhook } from "./webhook.ts";

type Plugin = OutputOf<"query", "plugins.list">["plugins"][number];

/** Plugins, policies and the webhook. */
export function Rules(): View {
  return html`
    <div class="grid">
      <div class="column">
        <${PolicyList} />
        <${Plugins} />
      </div>
      <div class="column">
        <${Explain} />
        <${Webhook} />
      </div>
    </div>
  `;
}

function Plugins(): View {
  const { data, problem } = useResource(useApp().resources.plugins);
  if (!data) {
    return html`
      <${Card} title="Plugins">
        <${Missing} problem=${problem} what="the plugins" />
        <//>
    `;
  }
  return html`<${Card} title="Plugins" actions=${html`<small>${
    data.ports.length > 0 ? `ports ${data.ports.join(", ")}` : "no ports"
  }</small>`}>
    ${data.plugins.length === 0 ? html`<${Empty}>None is loaded.<//>` : null}
    <ul class="health">${
    data.plugins.map((plugin) => html`<${PluginRow} key=${plugin.name} plugin=${plugin} />`)
  }</ul>
  <//>`;
}

function PluginRow({ plugin }: { plugin: Plugin }): View {
  const { name, origin, state, is_healthy: isHealthy, failures, problem, services } = plugin;
  const isWell = isHealthy && state === "loaded";
  return html`
    <li>
      <${Badge} tone=${isWell ? "good" : "warn"}>${isWell ? "works" : state}<//>
        <div><b><${Plain} text=${name} max=${80} /></b> <small>${origin === "file"
          ? "from a file"
          : "built in"}${services.length > 0
          ? `, offers ${plain(services.join(", "), 120)}`
          : ""}</small>
          ${failures > 0 ? html`<p class="problem">${countText(failures, "failure")}</p>` : null}
          ${problem
            ? html`
              <p class="problem">
                <${Plain} text=${problem} />
              </p>
            `
            : null}</div></li>
  `;
}
