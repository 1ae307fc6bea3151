import type { Plugin } from "esbuild";
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";

/** One package reads its own package.json while it runs; the executable has none. */
export const ownPackageFile: Plugin = {
  name: "own-package-file",
  setup({ onLoad }) {
    onLoad({ filter: /@achingbrain[/\\]ssdp[/\\]dist[/\\]src[/\\]ssdp\.js$/ }, async ({ path }) => {
      const text = await readFile(path, "utf8");
      const { name, version } = JSON.parse(
        await readFile(join(dirname(path), "..", "..", "package.json"), "utf8"),
      );
      const literal = JSON.stringify({ name, version });
      return { contents: text.replace("req('../../package.json')", literal), loader: "js" };
    });
  },
};
