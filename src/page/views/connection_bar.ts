import { html, type View } from "../html.ts";
import { useNow } from "../parts/clock.ts";
import { useApp } from "../state/app.ts";
import { useStore } from "../state/store.ts";
import { spanText } from "../text/figures.ts";

/** Says that the daemon does not answer, as long as it does not. */
export function ConnectionBar(): View {
  const { live } = useApp();
  const { state, sinceMs } = useStore(live.connection);
  const now = useNow(1_000);
  return html`<div role="status" class="connection">${
    state === "lost"
      ? html`<p><b>almenad does not answer.</b> It was stopped, or is starting again. This page tries
        again by itself and keeps what it knew; nothing is lost.
        <span aria-hidden="true">${spanText((now - sinceMs) / 1_000)}</span></p>`
      : null
  }</div>`;
}
