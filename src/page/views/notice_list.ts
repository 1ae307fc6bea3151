import { html, type View } from "../html.ts";
import { useApp } from "../state/app.ts";
import { useStore } from "../state/store.ts";
import { plain } from "../text/plain.ts";

/** What was just done or failed; read out as it comes. */
export function NoticeList(): View {
  const { notices } = useApp();
  const list = useStore(notices.list);
  return html`<div class="notices" role="log" aria-live="polite" aria-label="Notices">${
    list.map(({ id, tone, text }) =>
      html`<p key=${id} class=${tone}><span>${plain(text)}</span>
        <button type="button" class="quiet small" aria-label="Dismiss"
          onClick=${() => notices.dismiss(id)}>✕</button></p>`
    )
  }</div>`;
}
