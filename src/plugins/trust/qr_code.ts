/** QR codes, loaded when one is asked for. */
import { renderUnicodeCompact } from "uqr";

/** A text as lines of block letters, for a terminal; two rows of dots a line. */
export function qrCode(text: string): string {
  return renderUnicodeCompact(text, { border: 2, ecc: "L" });
}
