/** Completion scripts, in the shells they are for. */
import assert from "node:assert/strict";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { almenadCommand } from "../support/daemon.ts";
import { program, testNeeding } from "../support/needs.ts";

/** Runs a shell with `almenad` in its PATH. */
async function inShell(command: string[], script: string): Promise<string[]> {
  const folder = await mkdtemp(join(tmpdir(), "almenad-shell-"));
  try {
    const words = almenadCommand().map((word) => `'${word}'`).join(" ");
    await writeFile(join(folder, "almenad"), `#!/bin/sh\nexec ${words} "$@"\n`);
    await chmod(join(folder, "almenad"), 0o755);
    const [shell = "", ...args] = [...command, script];
    const { stdout, stderr } = await new Deno.Command(shell, {
      args,
      env: { PATH: `${folder}:${Deno.env.get("PATH")}` },
      stdin: "null",
    }).output();
    assert.equal(new TextDecoder().decode(stderr), "");
    return new TextDecoder().decode(stdout).trim().split("\n");
  } finally {
    await rm(folder, { recursive: true });
  }
}

testNeeding(
  [program("bash")],
  "completions bash completes commands, options, operations",
  async () => {
    const press = (...words: string[]) =>
      `COMP_WORDS=(almenad ${words.map((word) => `'${word}'`).join(" ")}); ` +
      `COMP_CWORD=${words.length}; _almenad; echo "\${COMPREPLY[*]}"`;
    const lines = await inShell(
      ["bash", "-c"],
      [
        'source <(almenad completions bash); IFS=" "',
        press("sta"),
        press("call", "network.pi"),
        press("logs", "--fol"),
        press("--format", ""),
        press("daemon", "in"),
      ].join("\n"),
    );
    assert.deepEqual(lines, [
      "start status",
      "network.ping",
      "--follow",
      "human json",
      "install",
    ]);
  },
);

testNeeding([program("zsh")], "completions zsh completes commands and operations", async () => {
  // _describe belongs to the line editor, so it is watched in place of a person at the keyboard.
  const press = (...words: string[]) =>
    `words=(almenad ${words.map((word) => `'${word}'`).join(" ")}); CURRENT=$#words; _almenad`;
  const lines = await inShell(
    ["zsh", "-f", "-c"],
    [
      "compdef() { :; }; _files() { echo files; }",
      '_describe() { print -l -- ${${(P)2}%%:*} | paste -sd" " -; }',
      "source <(almenad completions zsh)",
      press("sta"),
      press("call", "network.pi"),
      press("files", "copy", ""),
    ].join("\n"),
  );
  assert.deepEqual(lines, ["start status", "network.ping", "files"]);
});

testNeeding([program("fish")], "completions fish completes commands and operations", async () => {
  const lines = await inShell(
    ["fish", "--no-config", "-c"],
    [
      "almenad completions fish | source",
      "complete -C 'almenad sta' | string split -f1 \\t | string join ' '",
      "complete -C 'almenad call network.pi' | string split -f1 \\t | string join ' '",
    ].join("\n"),
  );
  assert.deepEqual(lines, ["start status", "network.ping"]);
});
