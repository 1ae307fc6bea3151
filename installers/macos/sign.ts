import { copyFile, rename } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { DaemonError } from "../../src/core/mod.ts";
import { runTool } from "../run_tool.ts";

/** Who signs a package. */
export interface SigningIdentity {
  /** Name and team of the "Developer ID" certificates, such as `Almena Network (AB12CD34EF)`. */
  identity: string;
  /** Profile of `xcrun notarytool store-credentials`. */
  notaryProfile: string;
}

const HERE = fileURLToPath(new URL("./", import.meta.url));
const REMEDY = "sign on a Mac with Xcode's command line tools: xcode-select --install";

/**
 * The identity that the environment names.
 *
 * @throws {DaemonError} `failed_precondition` naming each variable that is missing.
 */
export function signingIdentity(
  env: Readonly<Record<string, string | undefined>>,
): SigningIdentity {
  const identity = env["ALMENAD_SIGN_IDENTITY"];
  const notaryProfile = env["ALMENAD_NOTARY_PROFILE"];
  if (identity && notaryProfile) return { identity, notaryProfile };
  const missing = [
    ...identity
      ? []
      : ['ALMENAD_SIGN_IDENTITY ("<name> (<team>)" of your Developer ID certificates)'],
    ...notaryProfile ? [] : ["ALMENAD_NOTARY_PROFILE (from xcrun notarytool store-credentials)"],
  ];
  throw new DaemonError(
    "failed_precondition",
    `Cannot sign the macOS package: set ${missing.join(" and ")}; ` +
      "without --sign the package is built unsigned",
  );
}

/**
 * Signs a copy of the executable for the hardened runtime.
 *
 * @param folder Where the copy goes.
 * @returns Path of the signed copy.
 */
export async function signExecutable(
  executable: string,
  folder: string,
  { identity }: SigningIdentity,
): Promise<string> {
  const copy = join(folder, "almenad");
  await copyFile(executable, copy);
  const options = ["--force", "--timestamp", "--options", "runtime"];
  const entitlements = ["--entitlements", join(HERE, "entitlements.plist")];
  const signer = ["--sign", `Developer ID Application: ${identity}`];
  await runTool({
    argv: ["codesign", ...options, ...entitlements, ...signer, copy],
    remedy: REMEDY,
  });
  return copy;
}

/** Signs a package in place, has Apple notarise it, and attaches the ticket. */
export async function signPackage(path: string, signer: SigningIdentity): Promise<void> {
  const signed = `${path}.signed`;
  const identity = `Developer ID Installer: ${signer.identity}`;
  const run = (...argv: string[]) => runTool({ argv, remedy: REMEDY });
  await run("productsign", "--timestamp", "--sign", identity, path, signed);
  const profile = ["--keychain-profile", signer.notaryProfile, "--wait"];
  await rename(signed, path);
  await run("xcrun", "notarytool", "submit", path, ...profile);
  await run("xcrun", "stapler", "staple", path);
}
