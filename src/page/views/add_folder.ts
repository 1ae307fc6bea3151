import { useState } from "preact/hooks";
import { html, type View } from "../html.ts";
import { Dialog } from "../parts/dialog.ts";
import { useApp } from "../state/app.ts";

/** Takes a folder of this machine into the library. */
export function AddFolder(): View {
  const app = useApp();
  const [isOpen, setOpen] = useState(false);
  const [folder, setFolder] = useState("");
  const onSubmit = async (event: Event) => {
    event.preventDefault();
    const work = () => app.calls.act("library.add", { folder: folder.trim() });
    if (!await app.run(work, "The folder is being added")) return;
    setOpen(false);
    setFolder("");
    app.resources.items.refresh();
  };
  return html`<span><button type="button" class="primary" onClick=${() => setOpen(true)}>
      Add a folder</button>${
    isOpen
      ? html`
        <${Dialog} title="Add a folder" onClose=${() => setOpen(false)}>
          <p>It is copied into the library, and peers that this machine lets in can fetch it.</p>
          <form onSubmit=${onSubmit}>
            <label>Whole path of the folder
                    <input type="text" required spellcheck=${false} value=${folder}
                      onInput=${(event: InputEvent) =>
                        setFolder((event.target as HTMLInputElement).value)} />
                  </label>
            <button type="submit" class="primary">Add</button>
          </form>
          <//>
      `
      : null
  }</span>`;
}
