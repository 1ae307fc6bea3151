import htm from "htm";
import { type ComponentChildren, h, type VNode } from "preact";

/** What a component gives back. */
export type View = VNode | null;
/** What may stand inside an element. */
export type Children = ComponentChildren;

interface Binder {
  bind(make: typeof h): (strings: TemplateStringsArray, ...values: unknown[]) => VNode;
}

/** Markup as a template, `<${Component} name=${value} />`; values become text, never markup. */
export const html = (htm as unknown as Binder).bind(h);
