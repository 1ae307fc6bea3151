import { useState } from "preact/hooks";
import { html, type View } from "../html.ts";
import { Card, CopyButton, Missing } from "../parts/basic.ts";
import { Qr } from "../parts/qr.ts";
import { useApp } from "../state/app.ts";
import { useAsked } from "./asked.ts";

/** A ticket to this machine, and the use of one that leads to another. */
export function Invite(): View {
  return html`
    <${Card} title="Bring machines together">
      <${Ticket} />
      <${Accept} />
      <//>
  `;
}

function Ticket(): View {
  const { data, problem } = useAsked("trust.invite", {}, 60_000);
  if (!data) return html`<${Missing} problem=${problem} what="a ticket" />`;
  return html`
    <div class="identity">
      <${Qr} text=${data.ticket} label="The ticket as a QR code" />
      <div>
        <p>Show this ticket to another machine: it finds this one by it and asks for trust here.</p>
        <p><code class="long ticket">${data.ticket}</code></p>
        <${CopyButton} text=${data.ticket} what="the ticket" />
      </div>
    </div>
  `;
}

function Accept(): View {
  const app = useApp();
  const [ticket, setTicket] = useState("");
  const [reason, setReason] = useState("");
  const onSubmit = async (event: Event) => {
    event.preventDefault();
    const input = { ticket: ticket.trim(), justification: reason.trim() };
    const work = () => app.calls.act("trust.accept", input);
    if (!await app.run(work, "Asked; the other machine has to approve")) return;
    setTicket("");
    setReason("");
    app.resources.trusted.refresh();
  };
  const typed = (set: (text: string) => void) => (event: InputEvent) =>
    set((event.target as HTMLInputElement).value);
  return html`
    <form onSubmit=${onSubmit}>
      <h3>Use a ticket of another machine</h3>
      <label>Ticket <input type="text" required spellcheck=${false} autocomplete="off"
          value=${ticket} onInput=${typed(setTicket)} /></label>
      <label>Why, for whoever decides there <input type="text" maxlength="4000" autocomplete="off"
          value=${reason} onInput=${typed(setReason)} /></label>
      <button type="submit" class="primary">Ask for trust</button>
    </form>
  `;
}
