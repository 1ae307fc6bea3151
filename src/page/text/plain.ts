/** Text of strangers, made so that it shows as what it is and moves nothing around it. */

/** Longest text that is shown at once. */
export const MAX_SHOWN = 400;

// Control characters, and marks that are not seen or turn the direction of what follows.
const INVISIBLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

/** A text of strangers as it may be shown: marks made visible, and not without end. */
export function plain(text: unknown, max: number = MAX_SHOWN): string {
  const given = typeof text === "string" ? text : text === undefined ? "" : String(text);
  const cut = given.length > max ? given.slice(0, max) : given;
  const shown = cut.toWellFormed().replace(INVISIBLE, visible);
  const rest = given.length - cut.length;
  return rest > 0 ? `${shown}… (${rest.toLocaleString("en")} more characters)` : shown;
}

function visible(mark: string): string {
  const code = mark.codePointAt(0) ?? 0;
  if (code === 0x0a) return "⏎";
  if (code < 0x20) return String.fromCodePoint(0x2400 + code);
  if (code === 0x7f) return "␡";
  return `⟨${code.toString(16).toUpperCase().padStart(4, "0")}⟩`;
}

/** A peer id in few characters: its ends, which differ. */
export function shortId(id: string): string {
  const shown = plain(id, 80);
  return shown.length > 20 ? `${shown.slice(0, 8)}…${shown.slice(-6)}` : shown;
}

/** The last letters of a peer id, for places with little room: all ids of a kind begin alike. */
export function endOf(id: string): string {
  return `…${plain(id.slice(-6))}`;
}
