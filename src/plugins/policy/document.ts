import * as z from "zod";
import { DaemonError, messageOf, once } from "../../core/mod.ts";
import { durationSeconds } from "./duration.ts";
import { compileCondition, type Condition } from "./expression.ts";

/** Most rules of a policy. */
export const MAX_RULES = 256;
/** Largest policy, as text. */
export const MAX_POLICY_BYTES = 262_144;
/** Wait between two cycles where the text says nothing sensible, contract 4.5. */
export const DEFAULT_CYCLE_S = 24 * 3_600;
/** Shortest cycle, contract 4.5. */
const MIN_CYCLE_S = 1;

/** The events of contract 4.5: three gates, three that only act. */
export const POLICY_EVENTS = ["connect", "dial", "datagram", "join", "leave", "cycle"] as const;

const Tags = once(() => z.array(z.string().regex(/^[A-Za-z0-9._:-]{1,64}$/)).max(64));
const Count = once(() => z.strictObject({ count: z.int().min(1).max(100_000) }));
const None = once(() => z.strictObject({}).optional());
const Word = once(() => z.string().min(1).max(256));
const Action = once(() =>
  z.discriminatedUnion("type", [
    z.strictObject({ type: z.literal("allow"), params: None() }),
    z.strictObject({ type: z.literal("deny"), params: None() }),
    z.strictObject({ type: z.literal("evict"), params: None() }),
    z.strictObject({
      type: z.literal("tag"),
      params: z.strictObject({ add: Tags().optional(), remove: Tags().optional() })
        .refine(({ add, remove }) => add ?? remove, { error: "it needs add or remove" }),
    }),
    z.strictObject({ type: z.literal("evict_where"), params: z.strictObject({ match: Word() }) }),
    z.strictObject({ type: z.literal("prune"), params: Count() }),
    z.strictObject({ type: z.literal("fill"), params: Count() }),
    z.strictObject({
      type: z.literal("prune_trust"),
      params: z.strictObject({ percent: z.number().min(0).max(100), min: z.int().min(0) }),
    }),
    z.strictObject({
      type: z.literal("fill_trust"),
      params: z.strictObject({ target: z.int().min(1).max(4_096) }),
    }),
    z.strictObject({ type: z.literal("webhook"), params: z.strictObject({ event: Word() }) }),
    z.strictObject({ type: z.literal("log"), params: z.strictObject({ message: Word() }) }),
  ])
);

const Document = once(() =>
  z.strictObject({
    version: z.literal(1),
    default_verdict: z.enum(["allow", "deny"]).default("allow"),
    fail_closed: z.boolean().default(true),
    config: z.strictObject({
      cycle: z.string().max(64).optional(),
      max_peers: z.int().min(1).optional(),
      grace: z.string().max(64).optional(),
    }).prefault({}),
    rules: z.array(z.strictObject({
      name: z.string().min(1).max(128),
      on: z.enum(POLICY_EVENTS),
      match: z.string().min(1),
      actions: z.array(Action()).min(1).max(32),
    })).min(1).max(MAX_RULES),
  })
);

/** What a rule does. */
export type PolicyAction = z.output<ReturnType<typeof Action>>;

/** A rule that can be asked. */
export interface CompiledRule {
  readonly name: string;
  readonly on: (typeof POLICY_EVENTS)[number];
  readonly match: string;
  readonly condition: Condition;
  readonly actions: readonly PolicyAction[];
  /** Of `evict_where` actions, by their expression. */
  readonly conditions: ReadonlyMap<string, Condition>;
}

/** A policy that can be run. */
export interface CompiledPolicy {
  readonly json: string;
  readonly defaultAllows: boolean;
  readonly failClosed: boolean;
  readonly cycleS: number;
  readonly graceS: number;
  readonly maxPeers: number;
  readonly rules: readonly CompiledRule[];
}

/**
 * Reads and compiles a policy.
 *
 * @throws {DaemonError} `invalid_argument` with the place and what is wrong.
 */
export function compilePolicy(text: string): CompiledPolicy {
  if (text.length > MAX_POLICY_BYTES) throw invalid(`it has over ${MAX_POLICY_BYTES} characters`);
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (failure) {
    throw invalid(messageOf(failure));
  }
  const { data, error } = Document().safeParse(json);
  if (error) throw invalid(z.prettifyError(error).replaceAll("\n", " "));
  const names = new Set(data.rules.map(({ name }) => name));
  if (names.size < data.rules.length) throw invalid("two rules have one name");
  return {
    json: text,
    defaultAllows: data.default_verdict === "allow",
    failClosed: data.fail_closed,
    cycleS: cycleSeconds(data.config.cycle),
    graceS: durationSeconds(data.config.grace ?? "0") ?? 0,
    maxPeers: data.config.max_peers ?? Infinity,
    rules: data.rules.map((rule) => ({
      ...rule,
      condition: compileRule(rule.name, rule.match),
      conditions: new Map(
        rule.actions.flatMap((action) =>
          action.type === "evict_where"
            ? [[action.params.match, compileRule(rule.name, action.params.match)] as const]
            : []
        ),
      ),
    })),
  };
}

function compileRule(name: string, match: string): Condition {
  try {
    return compileCondition(match);
  } catch (failure) {
    throw invalid(`rule "${name}": ${messageOf(failure)}`);
  }
}

function cycleSeconds(text: string | undefined): number {
  const seconds = text === undefined ? DEFAULT_CYCLE_S : durationSeconds(text) ?? DEFAULT_CYCLE_S;
  if (seconds >= MIN_CYCLE_S) return seconds;
  throw invalid(`config.cycle is "${text}", shorter than ${MIN_CYCLE_S} s`);
}

function invalid(reason: string): DaemonError {
  return new DaemonError("invalid_argument", `Cannot use the policy: ${reason}`);
}
