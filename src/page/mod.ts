/** The page at `/`: see and steer the daemon in a browser. This file is what the browser runs. */
/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
import { h, render } from "preact";
import { App } from "./state/app.ts";
import { codeOf, hrefOf } from "./state/route.ts";
import { Shell } from "./views/shell.ts";

const code = codeOf(location.hash);
// The code leaves the address at once: it must not stay in the history, nor be reloaded.
if (code !== undefined) history.replaceState(null, "", hrefOf("overview"));
const app = new App(window, (path, init) => fetch(path, init));
app.start(code);
const place = document.getElementById("page");
if (place) render(h(Shell, { app }), place);
