import { useEffect, useRef } from "preact/hooks";
import { type Children, html, type View } from "../html.ts";

/** A window over the page; the browser keeps the focus inside and closes it with Escape. */
export function Dialog(
  { title, onClose, children }: { title: string; onClose: () => void; children?: Children },
): View {
  const element = useRef<HTMLDialogElement>(null);
  useEffect(() => element.current?.showModal(), []);
  return html`<dialog ref=${element} aria-label=${title} onClose=${onClose}>
    <header><h2>${title}</h2>
      <button type="button" class="quiet" aria-label="Close"
        onClick=${() => element.current?.close()}>✕</button>
    </header>
    ${children}
  </dialog>`;
}
