/** The explorer page: lists what the schema offers, runs documents, follows subscriptions. */

const INTROSPECTION = `{
  __schema {
    queryType { name } mutationType { name } subscriptionType { name }
    types {
      kind name
      fields { name description type { ...T } args { name description defaultValue type { ...T } } }
    }
  }
}
fragment T on __Type { kind name ofType { kind name ofType { kind name ofType { kind name } } } }`;
/** Characters of a subscription's answer that stay on the page. */
const MAX_SHOWN = 200_000;
/** Nesting of the fields that a template asks for. */
const TEMPLATE_DEPTH = 4;

const element = (id) => document.getElementById(id);
const [token, runButton, stopButton, state, search, operations, source, variables, answer] = [
  "token",
  "run",
  "stop",
  "state",
  "search",
  "operations",
  "document",
  "variables",
  "answer",
].map(element);
let running;

async function post(body, accept, signal) {
  const headers = { "content-type": "application/json", accept };
  if (token.value) headers.authorization = `Bearer ${token.value}`;
  return await fetch("/graphql", { method: "POST", headers, body: JSON.stringify(body), signal });
}

async function run() {
  running?.abort();
  const own = running = new AbortController();
  stopButton.disabled = false;
  state.textContent = "running";
  answer.textContent = "";
  try {
    const body = { query: source.value, variables: JSON.parse(variables.value || "{}") };
    const accept = "text/event-stream, application/json;q=0.5";
    const isStream = /^\s*subscription\b/m.test(source.value);
    const response = await post(body, isStream ? accept : "application/json", own.signal);
    const type = response.headers.get("content-type") ?? "";
    if (type.startsWith("text/event-stream")) await follow(response.body);
    else show(JSON.stringify(await response.json(), null, 2));
    state.textContent = `${response.status} ${response.statusText}`;
  } catch (failure) {
    if (own.signal.aborted) return;
    state.textContent = "failed";
    show(String(failure));
  } finally {
    if (running === own) stopButton.disabled = true;
  }
}

/** Shows each `data` line of an event stream as it comes. */
async function follow(body) {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const bytes of chunksOf(body)) {
    const lines = (rest + decoder.decode(bytes, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) {
      const text = line.startsWith("data:") ? line.slice(5).trim() : "";
      if (text) show(`${JSON.stringify(JSON.parse(text), null, 2)}\n`);
    }
  }
}

async function* chunksOf(body) {
  const reader = body.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    yield value;
  }
}

function show(text) {
  answer.textContent = (answer.textContent + text).slice(-MAX_SHOWN);
  answer.scrollTop = answer.scrollHeight;
}

function stop() {
  running?.abort();
  stopButton.disabled = true;
  state.textContent = "stopped";
}

function typeText({ kind, name, ofType }) {
  if (kind === "NON_NULL") return `${typeText(ofType)}!`;
  return kind === "LIST" ? `[${typeText(ofType)}]` : name;
}

function namedType({ name, ofType }) {
  return name ?? namedType(ofType);
}

/** A document that calls one operation and asks for every field of its answer. */
function template(kind, field, types) {
  const required = field.args.filter(({ type, defaultValue }) =>
    type.kind === "NON_NULL" && defaultValue === null
  );
  const declared = required.map(({ name, type }) => `$${name}: ${typeText(type)}`).join(", ");
  const given = required.map(({ name }) => `${name}: $${name}`).join(", ");
  const head = declared ? `${kind} Run(${declared})` : kind;
  const call = given ? `${field.name}(${given})` : field.name;
  variables.value = JSON.stringify(
    Object.fromEntries(required.map(({ name, type }) => [name, sample(type)])),
    null,
    2,
  );
  return `${head} {\n  ${call}${selection(field.type, types, 1)}\n}\n`;
}

function sample(type) {
  const text = typeText(type);
  return text.startsWith("[") ? [] : text.startsWith("Float") ? 0 : "";
}

function selection(type, types, depth) {
  const fields = types.get(namedType(type))?.fields;
  if (!fields?.length || depth > TEMPLATE_DEPTH) return "";
  const indent = "  ".repeat(depth + 1);
  const lines = fields.map((one) => `${indent}${one.name}${selection(one.type, types, depth + 1)}`);
  return ` {\n${lines.join("\n")}\n${"  ".repeat(depth)}}`;
}

function entry(kind, field, types) {
  const button = document.createElement("button");
  button.type = "button";
  button.dataset.search = `${field.name} ${field.description ?? ""}`.toLowerCase();
  button.append(field.name);
  const summary = document.createElement("small");
  summary.textContent = field.description ?? "";
  button.append(summary);
  button.addEventListener("click", () => {
    source.value = template(kind, field, types);
    source.focus();
  });
  return button;
}

async function loadSchema() {
  const response = await post({ query: INTROSPECTION }, "application/json");
  const { data, errors } = await response.json();
  if (!data) throw new TypeError(errors?.[0]?.message ?? "no schema");
  const schema = data.__schema;
  const types = new Map(schema.types.map((type) => [type.name, type]));
  for (const kind of ["query", "mutation", "subscription"]) {
    const root = types.get(schema[`${kind}Type`]?.name);
    if (!root) continue;
    const title = document.createElement("h2");
    title.textContent = kind;
    operations.append(title, ...root.fields.map((field) => entry(kind, field, types)));
  }
}

runButton.addEventListener("click", run);
stopButton.addEventListener("click", stop);
document.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) run();
});
search.addEventListener("input", () => {
  const wanted = search.value.toLowerCase();
  for (const button of operations.querySelectorAll("button")) {
    button.hidden = !button.dataset.search.includes(wanted);
  }
});
source.value = "{\n  networkStatus {\n    peer_id\n    peers\n    connected_peers\n  }\n}\n";
loadSchema().catch((failure) => state.textContent = `No schema: ${failure}`);
