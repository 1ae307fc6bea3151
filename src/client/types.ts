/** The operations as types: what each is called, takes and answers. Nothing here is left at run time. */
import type * as z from "zod";
import type { Operations } from "../operations/mod.ts";

type AnyOperation = Operations[number];
type Kind = AnyOperation["kind"];

type WireNameOf<O> = O extends { kind: "action"; name: infer Name extends string }
  ? `action:${Name}.input.v1`
  : O extends { kind: infer K extends string; name: infer Name extends string } ? `${K}:${Name}.v1`
  : never;

/** Queries and actions by their names on the wire. */
type Calls = {
  [O in Exclude<AnyOperation, { kind: "stream" }> as WireNameOf<O>]: O;
};

type Named<K extends Kind, Name> = Extract<AnyOperation, { kind: K; name: Name }>;

/** Names of the operations of one kind, such as `network.peers`. */
export type NameOf<K extends Kind> = Extract<AnyOperation, { kind: K }>["name"];
/** What an operation takes, by kind and name. */
export type InputOf<K extends Kind, Name> = z.input<Named<K, Name>["input"]>;
/** What an operation answers, or one item of what a stream answers, by kind and name. */
export type OutputOf<K extends Kind, Name> = z.output<Named<K, Name>["output"]>;

/** Names of queries and actions on the wire, such as `query:network.peers.v1`. */
export type Method = keyof Calls;
/** What a method takes. */
export type MethodInput<M extends Method> = z.input<Calls[M]["input"]>;
/** What a method answers. */
export type MethodOutput<M extends Method> = z.output<Calls[M]["output"]>;

/** The input, which may be left out if nothing in it is required, and the options. */
export type CallArguments<Input, Options> = Record<never, never> extends Input
  ? [input?: Input, options?: Options]
  : [input: Input, options?: Options];

/** An answer; `offline` says that it came from disk because no daemon runs. */
export type Answer<Output> = Output & { readonly offline?: true };

/** One request of a batch. */
export type BatchRequest<M extends Method = Method> = {
  [One in M]: {
    readonly method: One;
    readonly payload?: MethodInput<One>;
    readonly libraryId?: string;
  };
}[M];

/** What became of one request of a batch. */
export type BatchAnswer<Output> =
  | { readonly ok: true; readonly value: Output }
  | { readonly ok: false; readonly error: Error };

/** What became of each request of a batch, in their order. */
export type BatchAnswers<Requests extends readonly BatchRequest[]> = {
  -readonly [At in keyof Requests]: BatchAnswer<MethodOutput<Requests[At]["method"]>>;
};
