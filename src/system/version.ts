import process from "node:process";

declare const ALMENAD_COMMIT: string | undefined;
declare const ALMENAD_BUILD_TIME: string | undefined;

/** The one version of daemon, packages and documents; deno.json carries the same. */
export const VERSION = "2026.1.1-develop";

/** What is known of the running build. */
export interface VersionInfo {
  readonly version: string;
  /** Commit the executable was built from; empty when run from source. */
  readonly commit: string;
  /** RFC 3339, UTC; empty when run from source. */
  readonly buildTime: string;
  /** Version of the Deno runtime underneath. */
  readonly runtime: string;
}

/** The running build; the bundler puts commit and time in. */
export function versionInfo(): VersionInfo {
  return {
    version: VERSION,
    commit: typeof ALMENAD_COMMIT === "string" ? ALMENAD_COMMIT : "",
    buildTime: typeof ALMENAD_BUILD_TIME === "string" ? ALMENAD_BUILD_TIME : "",
    runtime: process.versions["deno"] ?? "",
  };
}

/**
 * A warning when the runtime is known to crash natively under ordinary HTTP/2 clients
 * (measured: 2.9.4 to 2.9.6), else undefined.
 */
export function runtimeWarning(runtime: string): string | undefined {
  return /^2\.9\.[456]$/.test(runtime)
    ? `Deno ${runtime} can crash under ordinary gRPC clients; run almenad on Deno 2.9.3`
    : undefined;
}
