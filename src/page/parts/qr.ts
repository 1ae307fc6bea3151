import { encode } from "uqr";
import { useMemo } from "preact/hooks";
import { html, type View } from "../html.ts";

/** Quiet cells around the code, ISO/IEC 18004 section 6.3.8. */
const BORDER = 4;

/** A text as a QR code, black on white in every colour scheme: cameras want it so. */
export function Qr({ text, label }: { text: string; label: string }): View {
  const { size, path } = useMemo(() => draw(text), [text]);
  return html`
    <svg class="qr" role="img" aria-label=${label} viewBox=${`0 0 ${size} ${size}`}
      shape-rendering="crispEdges">
      <rect width=${size} height=${size} class="paper" />
      <path d=${path} class="ink" />
    </svg>
  `;
}

function draw(text: string): { size: number; path: string } {
  const { data, size } = encode(text, { ecc: "M", border: BORDER });
  const runs: string[] = [];
  for (const [y, row] of data.entries()) {
    for (let x = 0; x < size; x++) {
      if (!row[x]) continue;
      const start = x;
      while (row[x + 1]) x++;
      runs.push(`M${start} ${y}h${x - start + 1}v1h${start - x - 1}z`);
    }
  }
  return { size, path: runs.join("") };
}
