/**
 * The page in front of a daemon that a test writes: the real files of the page, and answers of its
 * choice in place of the operations'. What it answers is checked against their schemas, so that a
 * scene cannot show what no daemon tells.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { DaemonError } from "../../src/core/mod.ts";
import { operations } from "../../src/operations/mod.ts";
import { readAsset } from "../../src/system/mod.ts";

/** Answers by operation, such as `network.peers`; a function is asked each time. */
export type SceneAnswers = Record<string, unknown>;

const TYPES: Readonly<Record<string, string>> = {
  "/": "text/html; charset=utf-8",
  "/page.js": "text/javascript; charset=utf-8",
  "/page.css": "text/css; charset=utf-8",
  "/page.svg": "image/svg+xml",
};
/** As the HTTP door has it for the page. */
const POLICY = "default-src 'self'; object-src 'none'; frame-ancestors 'none'; " +
  "base-uri 'none'; form-action 'self'";

/** A server with the page and the scene; dispose of it. */
export class PageScene implements AsyncDisposable {
  readonly answers: SceneAnswers;
  /** Actions that were called, with what they were given. */
  readonly called: { readonly name: string; readonly input: unknown }[] = [];
  readonly #checked = new Set<string>();
  readonly #streams = new Map<string, Set<ServerResponse>>();
  readonly #server: Server;

  private constructor(answers: SceneAnswers) {
    this.answers = answers;
    this.#server = createServer((request, response) => void this.#answer(request, response));
  }

  /** Opens it on loopback. */
  static async open(answers: SceneAnswers): Promise<PageScene> {
    const scene = new PageScene(answers);
    await new Promise<void>((resolve) => scene.#server.listen(0, "127.0.0.1", resolve));
    return scene;
  }

  /** Address of the page. */
  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/`;
  }

  /** Sends an item to whoever reads a stream, such as `events`. */
  send(stream: string, item: unknown): void {
    for (const response of this.#streams.get(stream) ?? []) {
      response.write(`data: ${JSON.stringify(item)}\n\n`);
    }
  }

  /** How many read a stream now. */
  readers(stream: string): number {
    return this.#streams.get(stream)?.size ?? 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname: path } = new URL(request.url ?? "/", "http://scene");
    const type = TYPES[path];
    if (type) {
      const content = await readAsset(path === "/" ? "page.html" : path.slice(1));
      response.writeHead(200, { "content-type": type, "content-security-policy": POLICY });
      return void response.end(content);
    }
    if (path === "/api/v1/session") return json(response, 200, { csrf: "word" });
    const name = path.replace("/api/v1/", "").replaceAll("/", ".");
    const kind = operations.find((operation) => operation.name === name)?.kind;
    if (kind === "stream") return this.#open(name, response);
    if (kind === "action") return await this.#act(name, request, response);
    const given = this.answers[name];
    if (given === undefined) return json(response, 404, { error: "not_found", message: "no" });
    const answer = typeof given === "function" ? given() : given;
    this.#check(name, answer);
    json(response, 200, answer);
  }

  async #act(name: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    let text = "";
    for await (const part of request) text += part;
    this.called.push({ name, input: JSON.parse(text) });
    json(response, 200, this.answers[name] ?? {});
  }

  #open(name: string, response: ServerResponse): void {
    const readers = this.#streams.get(name) ?? new Set();
    this.#streams.set(name, readers.add(response));
    response.once("close", () => readers.delete(response));
    response.writeHead(200, { "content-type": "text/event-stream; charset=utf-8" });
    response.write(": open\n\n");
  }

  // Once a name is enough: a scene's answers are all made alike, and large ones take their time.
  #check(name: string, answer: unknown): void {
    if (this.#checked.has(name)) return;
    this.#checked.add(name);
    const operation = operations.find((one) => one.name === name);
    const problem = operation?.output.safeParse(answer).error;
    if (!operation || problem) {
      throw new DaemonError("internal", `No daemon answers so: ${name}: ${problem}`);
    }
  }
}

function json(response: ServerResponse, status: number, value: unknown): void {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(JSON.stringify(value));
}
