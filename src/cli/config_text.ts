import type { ResolvedConfig } from "../config/mod.ts";
import type { OutputFormat } from "./output.ts";

/** Every setting, with where it comes from if wanted. */
export function configText(
  { config, origins }: ResolvedConfig,
  options: { origin: boolean; format: OutputFormat },
): string {
  if (options.format === "json") {
    return JSON.stringify(options.origin ? { config, origins } : config);
  }
  return Object.entries(origins)
    .map(([name, origin]) => {
      const value = JSON.stringify(valueAt(config, name.split(".")));
      return options.origin ? `${name} = ${value}  # ${origin}` : `${name} = ${value}`;
    })
    .join("\n");
}

function valueAt(value: unknown, [key, ...rest]: string[]): unknown {
  if (key === undefined) return value;
  return valueAt((value as Record<string, unknown>)[key], rest);
}
