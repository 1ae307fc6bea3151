/** The page at `/`: see and steer the daemon in a browser. This file is what the browser runs. */
/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
import { h, render } from "preact";
import { App } from "./state/app.ts";
import { codeOf, hrefOf } from "./state/route.ts";
import { Shell } from "./views/shell.ts";

// The code leaves the address at once: it must not stay in the history, nor be reloaded.
function takeCode(): string | undefined {
  const code = codeOf(location.hash);
  if (code !== undefined) history.replaceState(null, "", hrefOf("overview"));
  return code;
}

const code = takeCode();
const app = new App(window, (path, init) => fetch(path, init));
app.start(code);
addEventListener("hashchange", () => {
  const later = takeCode();
  if (later !== undefined) void app.session.begin(later);
});
const place = document.getElementById("page");
if (place) render(h(Shell, { app }), place);
