/** Which records the DHT takes, and which of several it prefers; contract 3.2. */
import type { SelectFn, ValidateFn } from "@libp2p/kad-dht";
import { ipnsSelector } from "ipns/selector";
import { ipnsValidator } from "ipns/validator";
import { Buffer } from "node:buffer";
import { DaemonError } from "../../core/mod.ts";

/** Largest value of an open namespace, contract 3.2. */
export const MAX_VALUE_BYTES = 1_048_576;
/** Where keys without a namespace of their own are kept; the library knows no others. */
const NO_NAMESPACE = Buffer.from("/.none/");

/** The key under which the library keeps a key. */
export function storedKey(key: Uint8Array): Uint8Array {
  const text = Buffer.from(key).toString("latin1");
  return text.startsWith("/") && text.indexOf("/", 1) > 0
    ? key
    : Buffer.concat([NO_NAMESPACE, key]);
}

/** Rules of `/ipns/`; those of `/pk/` are the library's own. */
export const ipnsRules: { validate: ValidateFn; select: SelectFn } = {
  validate: (key, value) => ipnsValidator(key, value),
  select: (key, records) => ipnsSelector(key, records),
};

/** Values and when their holders received them, for as long as anybody looks at them. */
export class ReceiveTimes {
  readonly #times = new WeakMap<Uint8Array, number>();
  readonly #local = new Map<string, number>();

  /** Remembers when a peer received a value. */
  set(value: Uint8Array, time: Date | undefined): void {
    this.#times.set(value, time?.getTime() ?? 0);
  }

  /** Remembers when we received our own value of a key. */
  setLocal(key: Uint8Array, time: Date): void {
    this.#local.set(Buffer.from(key).toString("hex"), time.getTime());
  }

  /** Forgets {@link setLocal}. */
  forgetLocal(key: Uint8Array): void {
    this.#local.delete(Buffer.from(key).toString("hex"));
  }

  /** The time of a value of a key; our own values are the ones no peer sent. */
  of(key: Uint8Array, value: Uint8Array): number {
    return this.#times.get(value) ?? this.#local.get(Buffer.from(key).toString("hex")) ?? 0;
  }

  /** Index of the newest of several values of a key; the larger one if they are equally new. */
  newest(key: Uint8Array, values: readonly Uint8Array[]): number {
    let best = 0;
    values.forEach((value, at) => {
      const other = values[best];
      if (!other || at === 0) return;
      const newer = this.of(key, value) - this.of(key, other) || Buffer.compare(value, other);
      if (newer > 0) best = at;
    });
    return best;
  }
}

/** Rules for every name that has none of its own. */
export function openValidators(): Record<string, ValidateFn> {
  return anyName<ValidateFn>((_key, value) => {
    if (value.byteLength <= MAX_VALUE_BYTES) return;
    const size = `${value.byteLength} bytes are over the limit of ${MAX_VALUE_BYTES}`;
    throw new DaemonError("invalid_argument", `Cannot store the value: ${size}`);
  });
}

/** The choice for every name that has none of its own. */
export function openSelectors(times: ReceiveTimes): Record<string, SelectFn> {
  return anyName<SelectFn>((key, records) => times.newest(key, records));
}

function anyName<T>(value: T): Record<string, T> {
  return new Proxy({} as Record<string, T>, {
    get: (_target, name) => typeof name === "string" ? value : undefined,
  });
}
