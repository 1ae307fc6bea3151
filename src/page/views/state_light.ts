import { html, type View } from "../html.ts";
import { useApp } from "../state/app.ts";
import { useResource } from "../state/resource.ts";
import { useStore } from "../state/store.ts";
import { countText } from "../text/figures.ts";
import type { Tone } from "../parts/basic.ts";
import type { HealthEntry } from "../wire/shapes.ts";

/** How the daemon fares, in one word. */
export interface StateWord {
  readonly tone: Tone;
  readonly word: string;
  readonly detail: string;
}

/** The one word for the daemon's state. */
export function useStateWord(): StateWord {
  const app = useApp();
  const { state } = useStore(app.live.connection);
  const health = useHealth();
  if (state === "lost") return { tone: "bad", word: "Not answering", detail: "trying again" };
  if (!health) return { tone: "plain", word: "Connecting", detail: "one moment" };
  const ill = health.filter((entry) => entry.state !== "ok").length;
  if (ill === 0) return { tone: "good", word: "All is well", detail: "every part works" };
  const detail = countText(ill, "thing to look at", "things to look at");
  const isFailing = health.some((entry) => entry.state === "failing");
  return { tone: "warn", word: isFailing ? "Needs attention" : "Works, with warnings", detail };
}

/** How each part fares; from the state where the daemon tells nothing finer. */
export function useHealth(): readonly HealthEntry[] | undefined {
  const { resources } = useApp();
  const { data } = useResource(resources.health);
  const { data: status } = useResource(resources.status);
  return data?.entries ??
    status?.health.map(({ serving, ...entry }) => ({
      ...entry,
      state: serving ? "ok" : "failing",
    }));
}

/** The state light of the navigation. */
export function StateLight(): View {
  const { tone, word, detail } = useStateWord();
  return html`<p class="light ${tone}" role="status"><span class="lamp" aria-hidden="true"></span>
    <span><b>${word}</b><small>${detail}</small></span></p>`;
}
