import type { Plugin } from "esbuild";
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";

/** Where a name that a mod.ts hands on is defined. */
interface Origin {
  readonly path: string;
  readonly name: string;
}

const STATEMENT = /^(import|export) \{([^}]*)\} from "(\.{1,2}\/[^"]+)";/gm;

/**
 * For the bundle, imports from a `mod.ts` of ours become imports from the files behind it. The
 * bundler cuts its files by what each can reach, and through a `mod.ts` everything reaches all that
 * stands in it: a command that wants one error class would load the schemas and logs of the daemon.
 */
export const directImports: Plugin = {
  name: "direct-imports",
  setup({ onLoad }) {
    const origins = new Map<string, Promise<Map<string, Origin>>>();
    const originsOf = (path: string) => {
      const known = origins.get(path) ?? readOrigins(path);
      origins.set(path, known);
      return known;
    };
    onLoad({ filter: /[/\\](src[/\\].*|main)\.ts$/ }, async ({ path }) => {
      if (path.includes("node_modules")) return undefined;
      return { contents: await direct(path, originsOf), loader: "ts" };
    });
  },
};

async function readOrigins(path: string): Promise<Map<string, Origin>> {
  const found = new Map<string, Origin>();
  for (
    const [, kind, names = "", from = ""] of (await readFile(path, "utf8")).matchAll(STATEMENT)
  ) {
    if (kind !== "export") continue;
    for (const { name, alias } of valuesIn(names)) {
      found.set(alias, { path: join(dirname(path), from), name });
    }
  }
  return found;
}

async function direct(
  path: string,
  originsOf: (path: string) => Promise<Map<string, Origin>>,
): Promise<string> {
  const text = await readFile(path, "utf8");
  let result = text;
  for (const [statement, kind, names = "", from = ""] of text.matchAll(STATEMENT)) {
    if (kind !== "import" || !from.endsWith("/mod.ts")) continue;
    const mod = join(dirname(path), from);
    const known = await originsOf(mod);
    const imports = valuesIn(names).map(({ name, alias }) => {
      const origin = known.get(name) ?? { path: mod, name };
      return `import { ${origin.name} as ${alias} } from ${JSON.stringify(origin.path)};`;
    });
    result = result.replace(statement, () => imports.join(" "));
  }
  return result;
}

// Types leave nothing behind in a bundle.
function valuesIn(names: string): { name: string; alias: string }[] {
  return names.split(",").map((one) => one.trim()).filter((one) => one && !one.startsWith("type "))
    .map((one) => {
      const [name = "", alias = name] = one.split(" as ");
      return { name, alias };
    });
}
