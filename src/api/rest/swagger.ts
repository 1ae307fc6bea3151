import { DaemonError } from "../../core/mod.ts";

const TYPES: Readonly<Record<string, string>> = {
  "swagger-ui.css": "text/css; charset=utf-8",
  "swagger-ui-bundle.js": "text/javascript; charset=utf-8",
  "favicon-32x32.png": "image/png",
};

/** The Swagger page; every file comes from this daemon, so it works offline. */
export function swaggerPage(): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>almenad API</title>
<link rel="icon" type="image/png" href="favicon-32x32.png">
<link rel="stylesheet" href="swagger-ui.css">
</head>
<body>
<div id="swagger-ui"></div>
<script src="swagger-ui-bundle.js"></script>
<script src="start.js"></script>
</body>
</html>
`;
}

/** Starts the page; a file of its own because the content security policy allows no inline script. */
export function swaggerScript(): string {
  return `SwaggerUIBundle({
  url: "/api-docs/openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  validatorUrl: null,
});
`;
}

/**
 * A file of the page.
 *
 * @throws {DaemonError} `not_found` for a name that is none of them.
 */
export function swaggerAssetOf(name: string): { name: string; type: string } {
  const type = Object.hasOwn(TYPES, name) ? TYPES[name] : undefined;
  if (type) return { name, type };
  throw new DaemonError("not_found", `Cannot serve "${name}": the page has no such file`);
}
