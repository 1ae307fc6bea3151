import { html, type View } from "../html.ts";
import { useApp } from "../state/app.ts";
import { useResource } from "../state/resource.ts";
import { useStore } from "../state/store.ts";
import { countText } from "../text/figures.ts";
import type { Tone } from "../parts/basic.ts";

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
  const { data } = useResource(app.resources.status);
  if (state === "lost") return { tone: "bad", word: "Not answering", detail: "trying again" };
  if (!data) return { tone: "plain", word: "Connecting", detail: "one moment" };
  const ill = data.health.filter(({ serving }) => !serving);
  return ill.length === 0 ? { tone: "good", word: "All is well", detail: "every part works" } : {
    tone: "warn",
    word: "Needs attention",
    detail: countText(ill.length, "part is not well", "parts are not well"),
  };
}

/** The state light of the navigation. */
export function StateLight(): View {
  const { tone, word, detail } = useStateWord();
  return html`<p class="light ${tone}" role="status"><span class="lamp" aria-hidden="true"></span>
    <span><b>${word}</b><small>${detail}</small></span></p>`;
}
