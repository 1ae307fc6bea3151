import type { Context, Hono } from "hono";

/** Nothing from elsewhere, nothing written into the page: no script and no style but its files. */
const PAGE_POLICY = "default-src 'self'; object-src 'none'; frame-ancestors 'none'; " +
  "base-uri 'none'; form-action 'self'";

/** What a browser asks for, by path. */
const FILES: Readonly<Record<string, { readonly name: string; readonly type: string }>> = {
  "/": { name: "page.html", type: "text/html; charset=utf-8" },
  "/page.js": { name: "page.js", type: "text/javascript; charset=utf-8" },
  "/page.css": { name: "page.css", type: "text/css; charset=utf-8" },
  "/page.svg": { name: "page.svg", type: "image/svg+xml" },
};

/** The page at `/`: its files come from this daemon alone. */
export function addPage(
  app: Hono,
  { readAsset }: { readAsset(name: string): Promise<Uint8Array> },
): void {
  const kept = new Map<string, Uint8Array>();
  for (const [path, { name, type }] of Object.entries(FILES)) {
    app.get(path, async (context: Context) => {
      const content = kept.get(name) ?? await readAsset(name);
      kept.set(name, content);
      context.header("content-type", type);
      context.header("content-security-policy", PAGE_POLICY);
      return context.body(new Uint8Array(content));
    });
  }
}
