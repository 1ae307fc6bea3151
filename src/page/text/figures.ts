/** Figures in words. */

const UNITS = ["B", "KB", "MB", "GB", "TB", "PB"] as const;

/** A number of bytes, such as `12.3 MB`. */
export function bytesText(bytes: number): string {
  if (!Number.isFinite(bytes) || bytes < 0) return "–";
  let [value, unit] = [bytes, 0];
  while (value >= 999.5 && unit < UNITS.length - 1) [value, unit] = [value / 1_000, unit + 1];
  const digits = unit === 0 || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
  return `${value.toFixed(digits)} ${UNITS[unit]}`;
}

/** Bytes a second. */
export function rateText(bytesPerSecond: number): string {
  return `${bytesText(bytesPerSecond)}/s`;
}

/** A span of time in its two largest units, such as `3 h 12 min`. */
export function spanText(seconds: number): string {
  if (!Number.isFinite(seconds) || seconds < 0) return "–";
  const whole = Math.floor(seconds);
  const [days, hours, minutes] = [
    Math.floor(whole / 86_400),
    Math.floor(whole / 3_600) % 24,
    Math.floor(whole / 60) % 60,
  ];
  if (days > 0) return `${days} d ${hours} h`;
  if (hours > 0) return `${hours} h ${minutes} min`;
  return minutes > 0 ? `${minutes} min ${whole % 60} s` : `${whole} s`;
}

/** How long ago something was. */
export function agoText(timeMs: number, nowMs: number): string {
  if (!Number.isFinite(timeMs)) return "at an unknown time";
  const seconds = Math.max(0, (nowMs - timeMs) / 1_000);
  if (seconds < 5) return "just now";
  return `${seconds < 60 ? `${Math.floor(seconds)} s` : coarse(seconds)} ago`;
}

function coarse(seconds: number): string {
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours} h` : `${Math.floor(hours / 24)} days`;
}

/** A round trip. */
export function latencyText(ms: number | undefined): string {
  if (ms === undefined || !Number.isFinite(ms)) return "not measured";
  return ms < 1 ? "under 1 ms" : `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`;
}

/** `1 peer`, `2 peers`. */
export function countText(count: number, one: string, many: string = `${one}s`): string {
  return `${count.toLocaleString("en")} ${count === 1 ? one : many}`;
}

/** A time of day, with seconds. */
export function clockText(timeMs: number): string {
  return Number.isFinite(timeMs) ? new Date(timeMs).toLocaleTimeString() : "–";
}
