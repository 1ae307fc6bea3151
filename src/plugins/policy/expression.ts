/**
 * The expression language of policies, contract 4.5: literals, and/or/not, comparisons, arithmetic,
 * `in`, lists and three functions. jsep reads it; what it reads is compiled to closures, so that
 * nothing but these words can ever run. There are no loops: a text of limited length is a run of
 * limited length.
 */
import jsep, { type Expression } from "jsep";
import { DaemonError, messageOf } from "../../core/mod.ts";
import { durationSeconds } from "./duration.ts";

/** Longest expression, in characters. */
export const MAX_EXPRESSION_LENGTH = 4_096;
/** Deepest nesting. */
export const MAX_DEPTH = 64;
/** Longest evaluation, contract 4.5; shared by all expressions of one event. */
export const EVAL_BUDGET_MS = 100;
/** Longest text that an expression may make. */
const MAX_TEXT_LENGTH = 4_096;
/** Steps between two looks at the clock. */
const STEPS_PER_LOOK = 512;
/** What beginning an evaluation counts for, so that many short ones are noticed as well. */
const STEPS_PER_CALL = 4;

/** What an expression works with. */
export type Value = null | boolean | number | string | readonly Value[];
/** Names an expression may use; an unknown one is null. */
export type Variables = Readonly<Record<string, Value>>;

/** What is left of the time for one event: many slow rules together get no more than one. */
export class EvalBudget {
  #steps = 0;
  // Set at the first look at the clock: what ends before it is far within any budget.
  #deadline = 0;

  /** Counts steps. @throws {DaemonError} when the time is over. */
  spend(steps = 1): void {
    const before = this.#steps;
    this.#steps += steps;
    if (Math.floor(before / STEPS_PER_LOOK) === Math.floor(this.#steps / STEPS_PER_LOOK)) return;
    const now = performance.now();
    this.#deadline ||= now + EVAL_BUDGET_MS;
    if (now > this.#deadline) throw failed(`it took over ${EVAL_BUDGET_MS} ms`);
  }
}

/**
 * A compiled expression; without a budget it has one of its own.
 *
 * @throws {DaemonError} when evaluation fails.
 */
export type Condition = (variables: Variables, budget?: EvalBudget) => boolean;

interface Run {
  readonly variables: Variables;
  readonly budget: EvalBudget;
}
type Node = (run: Run) => Value;

jsep.addBinaryOp("or", 1);
jsep.addBinaryOp("and", 2);
jsep.addBinaryOp("in", 7);
jsep.addUnaryOp("not");

/**
 * Compiles an expression.
 *
 * @throws {DaemonError} `invalid_argument` with what is wrong.
 */
export function compileCondition(text: string): Condition {
  if (text.length > MAX_EXPRESSION_LENGTH) {
    throw invalid(text, `it has over ${MAX_EXPRESSION_LENGTH} characters`);
  }
  let node: Node;
  try {
    node = compile(jsep(text), 0);
  } catch (failure) {
    throw invalid(text, messageOf(failure).split("\n")[0] ?? "");
  }
  return (variables, budget = new EvalBudget()) => {
    budget.spend(STEPS_PER_CALL);
    const value = node({ variables, budget });
    if (typeof value === "boolean") return value;
    throw failed(`the expression gives ${describe(value)}, not true or false`);
  };
}

function compile(expression: Expression, depth: number): Node {
  if (depth > MAX_DEPTH) throw new SyntaxError(`it is nested over ${MAX_DEPTH} deep`);
  const inner = (part: unknown): Node => compile(part as Expression, depth + 1);
  switch (expression.type) {
    case "Literal":
      return literal(expression["value"]);
    case "Identifier":
      return variable(String(expression["name"]));
    case "ArrayExpression":
      return list((expression["elements"] as unknown[]).map(inner));
    case "UnaryExpression":
      return unary(String(expression["operator"]), inner(expression["argument"]));
    case "BinaryExpression": {
      const { operator, left, right } = expression;
      return binary(String(operator), inner(left), inner(right));
    }
    case "CallExpression": {
      const callee = expression["callee"] as Expression;
      const name = callee.type === "Identifier" ? String(callee["name"]) : callee.type;
      return call(name, (expression["arguments"] as unknown[]).map(inner));
    }
    default:
      throw new SyntaxError(`${expression.type} is no part of the language`);
  }
}

function literal(value: unknown): Node {
  if (value === null || ["boolean", "number", "string"].includes(typeof value)) {
    return () => value as Value;
  }
  throw new SyntaxError("a literal is a number, a text, true, false or null");
}

function variable(name: string): Node {
  if (name in Object.prototype) return () => null;
  return ({ variables }) => variables[name] ?? null;
}

function list(items: readonly Node[]): Node {
  return (run) => items.map((item) => item(run));
}

function unary(operator: string, argument: Node): Node {
  switch (operator) {
    case "!":
    case "not":
      return (run) => !truth(argument(run), operator);
    case "-":
      return (run) => -numeric(argument(run), operator);
    case "+":
      return (run) => numeric(argument(run), operator);
    default:
      throw new SyntaxError(`operator ${operator} is no part of the language`);
  }
}

function binary(operator: string, left: Node, right: Node): Node {
  switch (operator) {
    case "and":
    case "&&":
      return (run) => truth(left(run), operator) && truth(right(run), operator);
    case "or":
    case "||":
      return (run) => truth(left(run), operator) || truth(right(run), operator);
    case "in":
      return (run) => contains(run, right(run), left(run), operator);
    case "==":
      return (run) => isSame(left(run), right(run));
    case "!=":
      return (run) => !isSame(left(run), right(run));
    case "+":
      return (run) => add(step(run, left(run)), right(run));
  }
  const compare = COMPARISONS[operator];
  if (compare) return (run) => compare(order(left(run), right(run), operator));
  const arithmetic = ARITHMETIC[operator];
  if (arithmetic) {
    return (run) =>
      finite(arithmetic(numeric(left(run), operator), numeric(right(run), operator)), operator);
  }
  throw new SyntaxError(`operator ${operator} is no part of the language`);
}

const COMPARISONS: Readonly<Record<string, (order: number) => boolean>> = {
  "<": (sign) => sign < 0,
  "<=": (sign) => sign <= 0,
  ">": (sign) => sign > 0,
  ">=": (sign) => sign >= 0,
};
const ARITHMETIC: Readonly<Record<string, (a: number, b: number) => number>> = {
  "-": (a, b) => a - b,
  "*": (a, b) => a * b,
  "/": (a, b) => a / b,
  "%": (a, b) => a % b,
};

function call(name: string, args: readonly Node[]): Node {
  const [first, second] = args;
  if (name === "has_tag" && first && second && args.length === 2) {
    return (run) => contains(run, first(run), second(run), name);
  }
  if (name === "duration" && first && args.length === 1) return duration(first);
  if (name === "since" && first && args.length === 1) {
    return (run) => Date.now() / 1_000 - numeric(first(run), name);
  }
  throw new SyntaxError(`there is no function ${name} with ${args.length} arguments`);
}

function duration(argument: Node): Node {
  // Nearly always the same text, which need not be read again.
  let known: Value = null;
  let seconds: number | undefined;
  return (run) => {
    const text = argument(run);
    if (text !== known || seconds === undefined) {
      known = text;
      seconds = typeof text === "string" ? durationSeconds(text) : undefined;
    }
    if (seconds !== undefined) return seconds;
    throw failed(`duration() does not understand ${describe(text)}`);
  };
}

function step(run: Run, value: Value): Value {
  run.budget.spend();
  return value;
}

function contains(run: Run, items: Value, wanted: Value, what: string): boolean {
  if (items === null) return false;
  if (!isList(items)) throw failed(`${what} needs a list, not ${describe(items)}`);
  return items.some((item) => isSame(step(run, item), wanted));
}

function isList(value: Value): value is readonly Value[] {
  return Array.isArray(value);
}

function isSame(left: Value, right: Value): boolean {
  if (left === right) return true;
  if (typeof left !== "object" || typeof right !== "object") return false;
  if (!isList(left) || !isList(right)) return left === right;
  return left.length === right.length &&
    left.every((item, index) => isSame(item, right[index] ?? null));
}

function order(left: Value, right: Value, operator: string): number {
  if (typeof left === "number" && typeof right === "number") {
    return left < right ? -1 : Number(left > right);
  }
  if (typeof left === "string" && typeof right === "string") {
    return left < right ? -1 : Number(left > right);
  }
  throw failed(`${operator} cannot compare ${describe(left)} with ${describe(right)}`);
}

function add(left: Value, right: Value): Value {
  if (typeof left === "string" && typeof right === "string") {
    if (left.length + right.length <= MAX_TEXT_LENGTH) return left + right;
    throw failed(`a text of over ${MAX_TEXT_LENGTH} characters would be made`);
  }
  return finite(numeric(left, "+") + numeric(right, "+"), "+");
}

function truth(value: Value, what: string): boolean {
  if (typeof value === "boolean") return value;
  throw failed(`${what} needs true or false, not ${describe(value)}`);
}

function numeric(value: Value, what: string): number {
  if (typeof value === "number") return value;
  throw failed(`${what} needs a number, not ${describe(value)}`);
}

// What is no number compares with nothing, so a rule built on it would decide by chance.
function finite(value: number, operator: string): number {
  if (Number.isFinite(value)) return value;
  throw failed(`${operator} gives no number`);
}

function describe(value: Value): string {
  if (value === null) return "null";
  return isList(value) ? "a list" : `the ${typeof value} ${JSON.stringify(value).slice(0, 60)}`;
}

function invalid(text: string, reason: string): DaemonError {
  return new DaemonError(
    "invalid_argument",
    `Cannot use expression ${JSON.stringify(text.slice(0, 100))}: ${reason}`,
  );
}

function failed(reason: string): DaemonError {
  return new DaemonError("failed_precondition", `Cannot evaluate: ${reason}`);
}
