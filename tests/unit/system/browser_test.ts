import assert from "node:assert/strict";
import { chmod, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { browserCommands, openInBrowser } from "../../../src/system/browser.ts";
import { tempFolder } from "../../support/temp_folder.ts";
import { waitFor } from "../../support/wait.ts";

const URL_TEXT = "http://127.0.0.1:8080/#code=x";

Deno.test("browserCommands() knows each system's way, and none without a display", () => {
  const first = (platform: string, env: Record<string, string>) =>
    browserCommands(URL_TEXT, { platform, env })[0];
  assert.deepEqual(first("darwin", {}), ["open", URL_TEXT]);
  assert.deepEqual(first("win32", {}), ["rundll32", "url.dll,FileProtocolHandler", URL_TEXT]);
  assert.deepEqual(first("linux", { DISPLAY: ":0" }), ["xdg-open", URL_TEXT]);
  assert.deepEqual(first("linux", { WAYLAND_DISPLAY: "wayland-0" }), ["xdg-open", URL_TEXT]);
  assert.deepEqual(first("linux", { WSL_DISTRO_NAME: "Debian" }), ["wslview", URL_TEXT]);
  assert.equal(first("linux", {}), undefined);
  assert.equal(first("freebsd", { SSH_CONNECTION: "x" }), undefined);
});

Deno.test({
  name: "openInBrowser() takes the next program where one is missing or fails, and never rejects",
  ignore: Deno.build.os === "windows",
  fn: async () => {
    await using folder = await tempFolder();
    const env = { DISPLAY: ":0" };
    const before = process.env["PATH"];
    const script = async (name: string, text: string) => {
      await writeFile(join(folder.path, name), `#!/bin/sh\n${text}\n`);
      await chmod(join(folder.path, name), 0o755);
    };
    process.env["PATH"] = folder.path;
    try {
      const open = () => openInBrowser(URL_TEXT, { platform: "linux", env });
      assert.equal(await open(), false, "there is none");
      await script("xdg-open", "exit 3");
      assert.equal(await open(), false, "the only one fails");
      await script("x-www-browser", `echo "$1" > ${folder.path}/opened`);
      assert.equal(await open(), true);
      const opened = await waitFor(
        "the opened address",
        () => readFile(join(folder.path, "opened"), "utf8").catch(() => undefined),
      );
      assert.equal(opened, `${URL_TEXT}\n`);
    } finally {
      process.env["PATH"] = before;
    }
  },
});
