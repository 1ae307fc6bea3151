import { Argument, Command, Option } from "commander";
import assert from "node:assert/strict";
import {
  candidates,
  completionScript,
  type CompletionSources,
  SHELLS,
} from "../../../src/cli/commands/completions.ts";

const SOURCES: CompletionSources = {
  operations: () =>
    Promise.resolve([
      { method: "query:network.peers.v1", summary: "Peers" },
      { method: "query:core.status.v1", summary: "Status" },
    ]),
  peers: () => Promise.reject(new TypeError("no daemon")),
  instances: () => Promise.resolve(["dev", "test"]),
  items: () => Promise.resolve(["film", "game"]),
};

function program(): Command {
  const root = new Command("almenad")
    .addOption(new Option("--format <format>", "how").choices(["human", "json"]))
    .option("--instance <name>", "which");
  const config = root.command("config").description("configuration");
  config.command("show").description("print it");
  root.command("call").addArgument(new Argument("[operation]")).addArgument(new Argument("[w...]"));
  root.command("ping").addArgument(new Argument("[peer]"));
  root.command("update").addArgument(new Argument("[items...]"));
  root.command("logs").option("-n, --lines <n>", "so many").option("-f, --follow", "go on");
  root.command("hidden", { hidden: true });
  return root;
}

async function words(...typed: string[]): Promise<string[]> {
  return (await candidates(program(), typed, SOURCES)).map(([word]) => word);
}

Deno.test("candidates() are commands, then those below them", async () => {
  assert.deepEqual(await words(""), ["config", "call", "ping", "update", "logs", "help"]);
  assert.deepEqual(await words("c"), ["config", "call"]);
  assert.deepEqual(await words("config", "s"), ["show"]);
  assert.deepEqual(await words("--format", "json", "co"), ["config"]);
});

Deno.test("candidates() are options of the command and of all commands", async () => {
  assert.deepEqual(await words("logs", "--f"), ["--follow", "--format"]);
  assert.deepEqual(await words("logs", "-n", "3", "--fo"), ["--follow", "--format"]);
});

Deno.test("candidates() are values of an option that knows its own", async () => {
  assert.deepEqual(await words("--format", ""), ["human", "json"]);
  assert.deepEqual(await words("--instance", "d"), ["dev"]);
  assert.deepEqual(await words("logs", "--lines", ""), []);
});

Deno.test("candidates() are operations, and nothing where no daemon answers", async () => {
  assert.deepEqual(await words("call", "net"), ["network.peers"]);
  assert.deepEqual(await words("call", "network.peers", ""), []);
  assert.deepEqual(await words("ping", ""), []);
});

Deno.test("candidates() are items of the shared library, however many were typed", async () => {
  assert.deepEqual(await words("update", ""), ["film", "game"]);
  assert.deepEqual(await words("update", "film", "g"), ["game"]);
});

Deno.test("completionScript() knows three shells", () => {
  for (const shell of SHELLS) assert.match(completionScript(shell), /almenad.*complete/s);
  assert.throws(() => completionScript("tcsh"), { code: "invalid_argument" });
});
