import { useState } from "preact/hooks";
import { type Children, html, type View } from "../html.ts";
import { useApp } from "../state/app.ts";
import { plain } from "../text/plain.ts";

/** Text of strangers: shown as what it is, and kept from turning the text around it. */
export function Plain({ text, max }: { text: unknown; max?: number }): View {
  return html`<bdi class="plain">${plain(text, max)}</bdi>`;
}

/** A titled part of a section. */
export function Card(
  { title, actions, wide, children }: {
    title: string;
    actions?: Children;
    wide?: boolean;
    children?: Children;
  },
): View {
  const id = `card-${title.toLowerCase().replaceAll(/\W+/g, "-")}`;
  return html`<section class=${wide ? "card wide" : "card"} aria-labelledby=${id}>
    <header><h2 id=${id}>${title}</h2>${actions}</header>
    ${children}
  </section>`;
}

/** How something fares, in a word and a colour. */
export function Badge({ tone, children }: { tone: Tone; children?: Children }): View {
  return html`<span class="badge ${tone}">${children}</span>`;
}

/** Colours with a meaning; the text beside says the same. */
export type Tone = "good" | "warn" | "bad" | "plain" | "accent";

/** A button that is busy while its work is under way, and tells what failed. */
export function ActionButton(
  { label, title, work, done, tone = "", disabled = false }: {
    label: string;
    /** For those who hear the button alone, such as `Approve Ada's laptop`. */
    title?: string;
    work: () => Promise<unknown>;
    /** What to say when it worked. */
    done?: string;
    tone?: "" | "primary" | "danger" | "quiet";
    disabled?: boolean;
  },
): View {
  const app = useApp();
  const [isBusy, setBusy] = useState(false);
  const onClick = async () => {
    setBusy(true);
    await app.run(work, done);
    setBusy(false);
  };
  return html`
    <button type="button" class=${tone} disabled=${disabled}
      aria-label=${title && title !== label ? title : undefined} aria-busy=${isBusy}
      aria-disabled=${isBusy} onClick=${isBusy ? undefined : onClick}>${label}</button>
  `;
}

/** Copies a text, and says so. */
export function CopyButton({ text, what }: { text: string; what: string }): View {
  const app = useApp();
  const onClick = async () => {
    try {
      await navigator.clipboard.writeText(text);
      app.notices.tell(`Copied ${what}`, "good");
    } catch {
      app.notices.tell(`Cannot copy ${what}: the browser does not allow it`, "bad");
    }
  };
  return html`
    <button type="button" class="quiet small" aria-label=${`Copy ${what}`}
      onClick=${onClick}>Copy</button>
  `;
}

/** What stands where there is nothing yet. */
export function Empty({ children }: { children?: Children }): View {
  return html`<p class="empty">${children}</p>`;
}

/** Why an answer is missing, or that it is on its way. */
export function Missing({ problem, what }: { problem: string; what: string }): View {
  if (problem) {
    return html`<p class="problem" role="alert">Cannot show ${what}: ${plain(problem)}</p>`;
  }
  return html`<p class="empty" aria-busy="true">Loading ${what}…</p>`;
}

/** Names with values below each other. */
export function Facts({ of }: { of: readonly (readonly [name: string, value: Children])[] }): View {
  return html`<dl class="facts">${
    of.map(([name, value]) =>
      html`
        <div key=${name}>
          <dt>${name}</dt>
          <dd>${value}</dd>
        </div>
      `
    )
  }</dl>`;
}
