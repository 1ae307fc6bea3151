import { DaemonError } from "../../core/mod.ts";
import { HttpError } from "../http_error.ts";
import { readJsonObject } from "../json_body.ts";
import type { EngineComponents } from "./engine.ts";

/** Where GraphQL is served, contract 1.7. */
export const GRAPHQL_PATH = "/graphql";

/** What {@link GraphqlDoor} uses. */
export interface GraphqlDoorComponents<Components> extends EngineComponents<Components> {
  /** Reads a file of the explorer page. */
  readAsset(name: string): Promise<Uint8Array>;
}

const FILES: Readonly<Record<string, string>> = {
  "explorer.css": "text/css; charset=utf-8",
  "explorer.js": "text/javascript; charset=utf-8",
};

type Engine = (request: Request) => Promise<Response>;

/** GraphQL over HTTP: every operation as a field, and a page to try them; made at first use. */
export class GraphqlDoor<Components> {
  readonly #components: GraphqlDoorComponents<Components>;
  #engine: Promise<Engine> | undefined;

  constructor(components: GraphqlDoorComponents<Components>) {
    this.#components = components;
  }

  /**
   * Answers a request to {@link GRAPHQL_PATH} or below.
   *
   * @throws {HttpError} for a body or method that is not GraphQL's.
   */
  async answer(request: Request): Promise<Response> {
    const { pathname } = new URL(request.url);
    if (pathname !== GRAPHQL_PATH) return await this.#file(pathname.split("/").at(-1) ?? "");
    if (request.method === "GET" && wantsPage(request)) {
      return await this.#asset("explorer.html", "text/html; charset=utf-8");
    }
    const checked = await checkedRequest(request);
    this.#engine ??= this.#loadEngine();
    const answer = await this.#engine;
    return await answer(checked);
  }

  async #file(name: string): Promise<Response> {
    const type = Object.hasOwn(FILES, name) ? FILES[name] : undefined;
    if (type) return await this.#asset(name, type);
    throw new DaemonError("not_found", `Cannot serve "${name}": the page has no such file`);
  }

  async #asset(name: string, type: string): Promise<Response> {
    const content = await this.#components.readAsset(name);
    return new Response(new Uint8Array(content), { headers: { "content-type": type } });
  }

  #loadEngine(): Promise<Engine> {
    return import("./engine.ts").then(({ createEngine }) =>
      createEngine(this.#components, GRAPHQL_PATH)
    );
  }
}

function wantsPage(request: Request): boolean {
  return /\btext\/html\b/.test(request.headers.get("accept") ?? "") &&
    !new URL(request.url).searchParams.has("query");
}

async function checkedRequest(request: Request): Promise<Request> {
  const { method, headers, signal, url } = request;
  if (method === "GET") return request;
  if (method !== "POST") {
    throw new HttpError(405, "unimplemented", `Cannot ${method} GraphQL: use GET or POST`, {
      allow: "GET, POST",
    });
  }
  const body = JSON.stringify(await readJsonObject(request));
  const checked = new Headers(headers);
  checked.delete("content-length");
  checked.set("content-type", "application/json");
  return new Request(url, { method, headers: checked, signal, body });
}
