/** The commands of the README do what they say, typed as they stand there. */
import assert from "node:assert/strict";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { startDaemon } from "../support/daemon.ts";
import { program, testNeeding } from "../support/needs.ts";
import { isAlone } from "../support/own_network.ts";
import { tempFolder } from "../support/temp_folder.ts";

const README = fileURLToPath(new URL("../../README.md", import.meta.url));
const alone = { name: "a network of its own", isMet: isAlone() }; // for the default ports

async function commandsUnder(heading: string): Promise<string[]> {
  const text = await readFile(README, "utf8");
  const section = text.split(/^#{2,3} /m).find((one) => one.startsWith(`${heading}\n`)) ?? "";
  const [, block = ""] = /```sh\n([\s\S]*?)```/.exec(section) ?? [];
  return block.replaceAll("\\\n", " ").trim().split("\n");
}

/** Runs lines of a shell as a person types them, and gives what each printed. */
async function type(lines: readonly string[], home: string): Promise<string[]> {
  const script = lines.map((line) => `${line}\necho; echo "<<end>>"`);
  const output = await new Deno.Command("bash", {
    args: ["-c", script.join("\n")],
    env: { HOME: home },
    stdin: "null",
  }).output();
  const text = new TextDecoder().decode(output.stdout);
  assert.equal(new TextDecoder().decode(output.stderr), "");
  return text.split("<<end>>\n").map((part) => part.trim());
}

// A stream goes on until Ctrl-C.
function bounded(line: string): string {
  return line.includes("until Ctrl-C")
    ? line.replace(
      /^(.*\| )?(nc|curl) /,
      (_, before: string | undefined, name) => `${before ?? ""}timeout 2 ${name} `,
    )
    : line;
}

testNeeding(
  [program("bash"), program("nc"), program("curl"), alone],
  "README: REST, GraphQL and the socket by hand",
  async () => {
    await using folder = await tempFolder();
    const dataDir = join(folder.path, ".local", "share", "network.almena.daemon");
    await mkdir(join(dataDir, "config"), { recursive: true });
    await writeFile(join(dataDir, "config", "config.toml"), "");
    await using _daemon = await startDaemon({ dataDir, hasDefaultPorts: true });
    const rest = (await commandsUnder("REST")).map(bounded);
    const graphql = (await commandsUnder("GraphQL")).map(bounded);
    const [peers, , made, events] = await type(rest, folder.path);
    assert.match(peers ?? "", /^\{"peers":\[\{"peer_id":"12D3/);
    assert.match(made ?? "", /"name":"music"/);
    assert.match(events ?? "", /^data: \{"LibraryCreated":\{.*"name":"music"/m);
    const admin = rest.filter((line) => line.startsWith("ADMIN="));
    const [, query, mutation, subscription] = await type([...admin, ...graphql], folder.path);
    assert.match(query ?? "", /^\{"data":\{"networkStatus":\{"peers":0\}/);
    assert.match(mutation ?? "", /^\{"data":\{"librariesCreate":\{"id":"/);
    assert.doesNotMatch(subscription ?? "", /error/);
    const socket = await type(
      (await commandsUnder("The socket by hand")).map(bounded),
      folder.path,
    );
    const [, pong, list, film, batch, subscribed] = socket;
    assert.equal(pong, '"Pong"');
    assert.match(list ?? "", /^\{"JsonOk":\{"peers":/);
    assert.match(film ?? "", /^\{"JsonOk":\{"id":".*"name":"films"/);
    assert.match(batch ?? "", /^\{"Batch":\["Pong",\{"JsonOk":\{"version":/);
    assert.match(subscribed ?? "", /^"Subscribed"\n(.*\n)*\{"Event":\{"LibraryCreated":.*films/);
  },
);
