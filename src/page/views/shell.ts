import { useEffect, useRef } from "preact/hooks";
import { html, type View } from "../html.ts";
import { type App, AppContext, useApp } from "../state/app.ts";
import { hrefOf, type SectionId, SECTIONS } from "../state/route.ts";
import { useResource } from "../state/resource.ts";
import { useStore } from "../state/store.ts";
import { countText } from "../text/figures.ts";
import { ConnectionBar } from "./connection_bar.ts";
import { Library } from "./library.ts";
import { Logs } from "./logs.ts";
import { Network } from "./network.ts";
import { NoticeList } from "./notice_list.ts";
import { Overview } from "./overview.ts";
import { Rules } from "./rules.ts";
import { SignIn } from "./sign_in.ts";
import { StateLight } from "./state_light.ts";
import { Throughput } from "./throughput.ts";
import { Trust } from "./trust.ts";
import { useWaiting } from "./waiting.ts";

const VIEWS: Readonly<Record<SectionId, () => View>> = {
  overview: Overview,
  network: Network,
  throughput: Throughput,
  library: Library,
  trust: Trust,
  rules: Rules,
  logs: Logs,
};

/** The frame of the page: navigation, state, and the section of the address. */
export function Shell({ app }: { app: App }): View {
  return html`
    <${AppContext.Provider} value=${app}>
      <a class="skip" href="#main" onClick=${focusMain}>Skip to the content</a>
      <${Navigation} />
      <${Content} />
      <${NoticeList} />
      <${SignIn} />
      <//>
  `;
}

function focusMain(event: Event): void {
  event.preventDefault();
  document.getElementById("main")?.focus();
}

function Navigation(): View {
  const app = useApp();
  const { section } = useStore(app.route);
  const waiting = useWaiting();
  return html`
    <aside class="side">
      <div class="brand"><img src="/page.svg" alt="" width="28" height="28" /><b>almenad</b></div>
      <${StateLight} />
      <nav aria-label="Sections">
        <ul>${SECTIONS.map(({ id, title }) =>
          html`<li key=${id}><a href=${hrefOf(id)} aria-current=${
            id === section ? "page" : undefined
          }>
        <span>${title}</span>${
            id === "trust" && waiting > 0
              ? html`<span class="count" aria-label=${
                countText(waiting, "request waits", "requests wait")
              }>${waiting}</span>`
              : null
          }</a></li>`
        )}</ul>
      </nav>
      <${Account} />
    </aside>
  `;
}

function Account(): View {
  const { session } = useApp();
  const { kind } = useStore(session.state);
  if (kind === "unknown") return html`<p class="account"></p>`;
  return kind === "signed_in"
    ? html`<p class="account"><span>Signed in</span>
      <button type="button" class="quiet small" onClick=${() =>
      void session.signOut()}>Sign out</button></p>`
    : html`<p class="account"><span>Looking only</span>
      <button type="button" class="small" onClick=${() => session.ask(true)}>Sign in</button></p>`;
}

function Content(): View {
  const app = useApp();
  const { section, detail } = useStore(app.route);
  const waiting = useStore(app.waiting);
  const { data: status } = useResource(app.resources.status);
  const title = SECTIONS.find(({ id }) => id === section)?.title ?? "";
  const isFirst = useRef(true);
  useEffect(() => {
    const host = status?.instance ? `almenad ${status.instance}` : "almenad";
    document.title = `${waiting > 0 ? `(${waiting}) ` : ""}${title} – ${host}`;
  }, [title, waiting, status?.instance]);
  useEffect(() => {
    // Who follows a link by keyboard or ear goes on where the new content begins.
    if (!isFirst.current) document.getElementById("main")?.focus({ preventScroll: true });
    isFirst.current = false;
    scrollTo(0, 0);
  }, [section, detail]);
  return html`
    <main id="main" tabindex="-1">
      <${ConnectionBar} />
      <h1>${title}</h1>
      <${VIEWS[section]} key=${section} />
    </main>
  `;
}
