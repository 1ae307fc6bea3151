import { useState } from "preact/hooks";
import { html, type View } from "../html.ts";
import { Dialog } from "../parts/dialog.ts";
import { useApp } from "../state/app.ts";
import { useStore } from "../state/store.ts";
import { plain } from "../text/plain.ts";

/** The way in for who came without a code, or with one that is over. */
export function SignIn(): View {
  const { session } = useApp();
  const { isAsked, problem } = useStore(session.state);
  const [token, setToken] = useState("");
  if (!isAsked && !problem) return null;
  const onSubmit = (event: Event) => {
    event.preventDefault();
    void session.useToken(token.trim());
    setToken("");
  };
  return html`<${Dialog} title="Sign in" onClose=${() => session.ask(false)}>
    ${problem ? html`<p class="problem" role="alert">${plain(problem)}</p>` : null}
    <p>Anybody at this machine may look. To change something, show that almenad is yours: run this
      in a terminal, and it opens this page signed in.</p>
    <pre tabindex="0">almenad dashboard</pre>
    <form onSubmit=${onSubmit}>
      <label>Or give the admin token of this daemon
        <input type="password" autocomplete="off" value=${token} required
          onInput=${(event: InputEvent) => setToken((event.target as HTMLInputElement).value)} />
      </label>
      <button type="submit" class="primary">Sign in</button>
    </form>
  <//>`;
}
