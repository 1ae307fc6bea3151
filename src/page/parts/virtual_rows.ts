import { useEffect, useRef, useState } from "preact/hooks";
import { type Children, html, type View } from "../html.ts";

/** What is drawn of a long list. */
interface Part {
  readonly first: number;
  readonly last: number;
}

/** Rows drawn beyond what is seen, so that scrolling finds them there. */
const OVERSCAN = 6;
/** Most rows in sight at once, however tall the screen. */
const MAX_SEEN = 120;

/** How {@link VirtualTable} is filled. */
export interface VirtualTableInit<T> {
  /** What the table is called. */
  label: string;
  columns: readonly string[];
  /** Name of the CSS class that says how wide the columns are. */
  layout: string;
  rows: readonly T[];
  keyOf(row: T): string;
  /** One cell a column. */
  cellsOf(row: T): readonly Children[];
  /** Shown when there is no row. */
  empty: Children;
  /** Whether the newest row, at the end, is kept in sight while nobody scrolls. */
  followsEnd?: boolean;
}

/** A table of any length: only the rows in sight are in the document, all are counted. */
export function VirtualTable<T>(init: VirtualTableInit<T>): View {
  const { label, columns, layout, rows, keyOf, cellsOf, empty } = init;
  const box = useRef<HTMLDivElement>(null);
  const [{ first, last }, rowHeight] = usePart(box, rows.length, init.followsEnd ?? false);
  const seen = rows.slice(first, last);
  return html`
    <div class="table ${layout}" role="table" aria-label=${label}
      aria-rowcount=${rows.length + 1}>
      <div class="row head" role="row" aria-rowindex="1">
          ${columns.map((name) => html`<span role="columnheader" key=${name}>${name}</span>`)}
        </div>
      <div class="scroll" ref=${box} role="rowgroup" tabindex="0"
        aria-label=${`${label}, ${rows.length} rows`}>
          ${rows.length === 0
            ? html`<div role="row" class="row none"><span role="cell">${empty}</span>
        </div>`
            : null}
          <div class="spacer" role="presentation" style=${{
            height: `${rows.length * rowHeight}px`,
          }}>
            <div class="window" role="presentation"
              style=${{ transform: `translateY(${first * rowHeight}px)` }}>
              ${seen.map((row, index) =>
                html`<div class="row" role="row" key=${keyOf(row)} aria-rowindex=${
                  first + index + 2
                }>
              ${
                  cellsOf(row).map((cell, at) =>
                    html`<div role="cell" data-name=${columns[at]} key=${at}>${cell}</div>`
                  )
                }</div>`
              )}
            </div>
          </div>
        </div>
    </div>
  `;
}

function usePart(
  box: { readonly current: HTMLDivElement | null },
  count: number,
  followsEnd: boolean,
): readonly [Part, number] {
  const [part, setPart] = useState<Part>({ first: 0, last: 30 });
  const [rowHeight, setRowHeight] = useState(44);
  const isAtEnd = useRef(true);
  useEffect(() => {
    const element = box.current;
    if (!element) return;
    const measure = () => {
      const height = parseFloat(getComputedStyle(element).getPropertyValue("--row")) *
        parseFloat(getComputedStyle(document.documentElement).fontSize);
      const seen = Math.min(MAX_SEEN, Math.ceil(element.clientHeight / height));
      const at = Math.floor(element.scrollTop / height);
      const first = Math.max(0, Math.min(at, count - seen) - OVERSCAN);
      const last = first + seen + 2 * OVERSCAN;
      isAtEnd.current = element.scrollTop + element.clientHeight >= element.scrollHeight - height;
      setRowHeight(height);
      setPart((old) => old.first === first && old.last === last ? old : { first, last });
    };
    if (followsEnd && isAtEnd.current) element.scrollTop = element.scrollHeight;
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    element.addEventListener("scroll", measure, { passive: true });
    return () => {
      observer.disconnect();
      element.removeEventListener("scroll", measure);
    };
  }, [count, followsEnd]);
  return [part, rowHeight];
}
