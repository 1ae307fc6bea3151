/** Calls any operation through any door, knowing only what that door tells of itself. */
import { DaemonError } from "../../src/core/mod.ts";
import { ControlClient } from "./control_client.ts";

/** What an operation answered: a value, or the message of its error. */
export type Answer = { readonly value: unknown } | { readonly error: string };

/** One way in. */
export interface Door {
  readonly name: string;
  /** Calls a query or an action. */
  call(operation: OperationFacts, input: Input): Promise<Answer>;
  /**
   * Opens a stream and gives its first item.
   *
   * @param onOpen Told once it is open.
   */
  first(operation: OperationFacts, input: Input, onOpen: () => Promise<void>): Promise<Answer>;
}

/** What `core.operations` tells of one. */
export interface OperationFacts {
  /** Wire name. */
  readonly method: string;
  readonly kind: "query" | "action" | "stream";
  readonly scope: "core" | "library";
}

/** Fields of the payload, and for library operations `library_id`. */
export type Input = Readonly<Record<string, unknown>>;

/** `network.peers` of `query:network.peers.v1`. */
export function nameOf({ method }: OperationFacts): string {
  return method.replace(/^\w+:/, "").replace(/(\.input)?\.v1$/, "");
}

/** The control socket. */
export class ControlDoor implements Door {
  readonly name = "control socket";
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  async call({ method, kind, scope }: OperationFacts, input: Input): Promise<Answer> {
    using client = await ControlClient.connect(this.#path);
    const variant = kind === "action" ? "Action" : "Query";
    return answerOf(await client.ask({ [variant]: { method, ...split(scope, input) } }, 20_000));
  }

  async first(
    { method, scope }: OperationFacts,
    input: Input,
    onOpen: () => Promise<void>,
  ): Promise<Answer> {
    using client = await ControlClient.connect(this.#path);
    const begun = await client.ask({ Stream: { method, ...split(scope, input) } });
    if ("Error" in begun) return answerOf(begun);
    await onOpen();
    const { Item: value } = await client.next();
    return { value };
  }
}

function split(scope: OperationFacts["scope"], input: Input) {
  if (scope === "core") return { payload: input };
  const { library_id: libraryId, ...payload } = input;
  return { library_id: libraryId, payload };
}

function answerOf(line: Record<string, unknown>): Answer {
  if ("JsonOk" in line) return { value: line["JsonOk"] };
  return { error: String(Object.values(line["Error"] as object)[0]) };
}

/** `/api/v1/<noun>/<verb>`. */
export class RestDoor implements Door {
  readonly name = "REST";
  readonly #base: string;
  readonly #token: string;

  constructor(base: string, token: string) {
    this.#base = base;
    this.#token = token;
  }

  async call(operation: OperationFacts, input: Input): Promise<Answer> {
    const response = operation.kind === "action"
      ? await fetch(this.#url(operation, {}), {
        method: "POST",
        headers: { authorization: `Bearer ${this.#token}`, "content-type": "application/json" },
        body: JSON.stringify(input),
      })
      : await fetch(this.#url(operation, input));
    const json = await response.json();
    return response.ok ? { value: json } : { error: json.message };
  }

  async first(
    operation: OperationFacts,
    input: Input,
    onOpen: () => Promise<void>,
  ): Promise<Answer> {
    const response = await fetch(this.#url(operation, input));
    if (!response.ok) return { error: (await response.json()).message };
    await onOpen();
    return { value: await firstData(response) };
  }

  #url(operation: OperationFacts, input: Input): string {
    const url = new URL(`/api/v1/${nameOf(operation).replaceAll(".", "/")}`, this.#base);
    for (const [name, value] of Object.entries(input)) {
      url.searchParams.set(name, typeof value === "string" ? value : JSON.stringify(value));
    }
    return url.href;
  }
}

/** The first `data` of a stream of server-sent events; the stream is left then. */
export async function firstData(response: Response): Promise<unknown> {
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  try {
    for (;;) {
      const part = await reader?.read();
      if (!part || part.done) throw new DaemonError("unavailable", `No item: ${text}`);
      text += part.value;
      const [, data] = /^data: ?(.+)\n/m.exec(text) ?? [];
      if (data) return JSON.parse(data);
    }
  } finally {
    await reader?.cancel();
  }
}

interface TypeRef {
  readonly kind: string;
  readonly name: string | null;
  readonly ofType: TypeRef | null;
}
interface FieldInfo {
  readonly name: string;
  readonly args: readonly { name: string; type: TypeRef }[];
  readonly type: TypeRef;
}
interface TypeInfo {
  readonly name: string;
  readonly kind: string;
  readonly fields: readonly FieldInfo[] | null;
}

const REF = "kind name ofType { kind name ofType { kind name ofType { kind name ofType " +
  "{ kind name } } } }";
const INTROSPECTION =
  `{ __schema { types { kind name fields { name args { name type { ${REF} } } ` +
  `type { ${REF} } } } } }`;

/** GraphQL, by introspection alone. */
export class GraphqlTestDoor implements Door {
  readonly name = "GraphQL";
  readonly #url: string;
  readonly #token: string;
  #types: Promise<ReadonlyMap<string, TypeInfo>> | undefined;

  constructor(base: string, token: string) {
    this.#url = new URL("/graphql", base).href;
    this.#token = token;
  }

  /** All fields of a root type. */
  async fields(root: "Query" | "Mutation" | "Subscription"): Promise<string[]> {
    return ((await this.#schema()).get(root)?.fields ?? []).map(({ name }) => name);
  }

  async call(operation: OperationFacts, input: Input): Promise<Answer> {
    const response = await this.#post(await this.#document(operation, input), input);
    return graphqlAnswer(await response.json(), fieldName(operation));
  }

  async first(
    operation: OperationFacts,
    input: Input,
    onOpen: () => Promise<void>,
  ): Promise<Answer> {
    const document = await this.#document(operation, input);
    const response = await this.#post(document, input, "text/event-stream");
    await onOpen();
    return graphqlAnswer(await firstData(response) as GraphqlJson, fieldName(operation));
  }

  #post(query: string, variables: Input, accept = "application/json"): Promise<Response> {
    return fetch(this.#url, {
      method: "POST",
      headers: {
        accept,
        authorization: `Bearer ${this.#token}`,
        "content-type": "application/json",
      },
      body: JSON.stringify({ query, variables }),
    });
  }

  async #document(operation: OperationFacts, input: Input): Promise<string> {
    const types = await this.#schema();
    const word = { query: "query", action: "mutation", stream: "subscription" }[operation.kind];
    const root = types.get(
      { query: "Query", action: "Mutation", stream: "Subscription" }[
        operation.kind
      ],
    );
    const field = root?.fields?.find(({ name }) => name === fieldName(operation));
    if (!field) throw new DaemonError("not_found", `GraphQL has no field for ${operation.method}`);
    const args = field.args.filter(({ name }) => name in input);
    const declared = args.map(({ name, type }) => `$${name}: ${typeText(type)}`).join(", ");
    const passed = args.map(({ name }) => `${name}: $${name}`).join(", ");
    const head = declared ? `${word}(${declared})` : word;
    const call = passed ? `${field.name}(${passed})` : field.name;
    return `${head} { ${call} ${selection(field.type, types)} }`;
  }

  #schema(): Promise<ReadonlyMap<string, TypeInfo>> {
    this.#types ??= this.#post(INTROSPECTION, {}).then((response) => response.json()).then((json) =>
      new Map(
        (json.data.__schema.types as TypeInfo[]).map((type) => [type.name, type]),
      )
    );
    return this.#types;
  }
}

type GraphqlJson = {
  readonly data?: Readonly<Record<string, unknown>> | null;
  readonly errors?: readonly { readonly message: string }[];
};

function graphqlAnswer({ data, errors }: GraphqlJson, field: string): Answer {
  const [error] = errors ?? [];
  if (error) return { error: error.message };
  return { value: withoutNulls(data?.[field]) };
}

// GraphQL says null where JSON says nothing.
function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).filter(([, one]) => one !== null);
  return Object.fromEntries(entries.map(([key, one]) => [key, withoutNulls(one)]));
}

/** `coreSystemInfo` of `query:core.system_info.v1`. */
export function fieldName(operation: OperationFacts): string {
  return nameOf(operation).replace(/[._](\w)/g, (_, letter: string) => letter.toUpperCase());
}

function typeText({ kind, name, ofType }: TypeRef): string {
  if (kind === "NON_NULL" && ofType) return `${typeText(ofType)}!`;
  if (kind === "LIST" && ofType) return `[${typeText(ofType)}]`;
  return name ?? "";
}

function selection(type: TypeRef, types: ReadonlyMap<string, TypeInfo>): string {
  if (type.ofType) return selection(type.ofType, types);
  const fields = types.get(type.name ?? "")?.fields ?? [];
  if (fields.length === 0) return "";
  return `{ ${fields.map((one) => `${one.name} ${selection(one.type, types)}`).join(" ")} }`;
}
