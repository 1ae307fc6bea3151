import { isIPv4, isIPv6 } from "node:net";

/** What a report must not give away. */
export interface RedactorInit {
  /** Words that stand nowhere in it, such as the admin token. */
  readonly secrets: readonly string[];
  /** The user's folder; shown as `~`. */
  readonly home: string;
  /** Name of this machine. */
  readonly host: string;
  /** Peer id of the daemon; empty when it is not known. */
  readonly selfId: string;
}

/** Fields whose value nobody may read, wherever they stand. */
const SECRET_FIELD =
  /token|secret|password|private.?key|public_key|authorization|cookie|csrf|ticket|nonce|signature/i;
/** Shorter secrets would be found in words that are none. */
const MIN_SECRET = 6;
const PEER_ID =
  /\b(?:12D3KooW[1-9A-HJ-NP-Za-km-z]{8,}|16Uiu2[1-9A-HJ-NP-Za-km-z]{8,}|Qm[1-9A-HJ-NP-Za-km-z]{44})/g;
const IPV4 = /(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?![\d.])/g;
const IPV6 = /(?<![\w:.])[0-9A-Fa-f:]*:[0-9A-Fa-f:]*:[0-9A-Fa-f:.]*(?:%[\w.-]+)?/g;
const MAC = /(?<![\w:-])[0-9A-Fa-f]{2}(?:[:-][0-9A-Fa-f]{2}){5}(?![\w:-])/g;
const LOOPBACK = /^(127\.|0\.0\.0\.0$|::1?$)/;
const LOCAL =
  /^(10\.|192\.168\.|172\.(1[6-9]|2\d|3[01])\.|169\.254\.|fe[89ab]|f[cd]|ff|224\.|239\.)/i;

/**
 * Takes out of texts and values what is nobody's business. Peers and addresses get numbers, the
 * same ones throughout a report, so that one can still see which is which.
 */
export class Redactor {
  readonly #init: RedactorInit;
  readonly #secrets: readonly string[];
  readonly #peers = new Map<string, string>();
  readonly #addresses = new Map<string, string>();

  constructor(init: RedactorInit) {
    this.#init = init;
    this.#secrets = init.secrets.filter((secret) => secret.length >= MIN_SECRET)
      .sort((a, b) => b.length - a.length);
  }

  /** A text without what must not be in it. */
  text(text: string): string {
    const { home, host } = this.#init;
    let clean = text;
    for (const secret of this.#secrets) clean = clean.replaceAll(secret, "[secret]");
    clean = clean
      .replace(/#code=[\w-]+/g, "#code=[secret]")
      .replace(/\b(Bearer|Basic)\s+[\w.~+/=-]+/gi, "$1 [secret]")
      .replace(/ALMENA:[A-Za-z2-7]{8,}/g, "[ticket]")
      .replace(/(\w+:\/\/)[^\s/@"']+:[^\s/@"']+@/g, "$1[secret]@")
      .replace(/\b(https?:\/\/(?!127\.|localhost|\[::1\])[^\s/"'?#]+)[/?#][^\s"']*/g, "$1/…")
      .replace(PEER_ID, (id) => this.#peer(id))
      .replace(MAC, "[mac]")
      .replace(IPV6, (found) => this.#ipv6(found))
      .replace(IPV4, (found) => isIPv4(found) ? this.#address(found) : found);
    if (home.length > 1) clean = clean.replaceAll(home, "~");
    clean = clean.replace(/(\/home\/|\/Users\/|\\Users\\\\?)[^/\\\s"']+/g, "$1[user]");
    return host.length > 2 ? clean.replaceAll(host, "[host]") : clean;
  }

  /** A value as it is written as JSON, every text in it cleaned. */
  json(value: unknown): unknown {
    if (typeof value === "string") return this.text(value);
    if (Array.isArray(value)) return value.map((one) => this.json(one));
    if (typeof value !== "object" || value === null) return value;
    return Object.fromEntries(
      Object.entries(value).map(([name, inner]) => {
        const isSecret = SECRET_FIELD.test(name) && typeof inner === "string" && inner !== "";
        return [this.text(name), isSecret ? this.#hidden(name, inner) : this.json(inner)];
      }),
    );
  }

  // Where the word lies is no secret.
  #hidden(name: string, value: string): string {
    return /_file$/.test(name) ? this.text(value) : "[secret]";
  }

  #peer(id: string): string {
    if (this.#init.selfId && id === this.#init.selfId) return "[this peer]";
    const known = this.#peers.get(id);
    if (known) return known;
    const name = `[peer ${this.#peers.size + 1}]`;
    this.#peers.set(id, name);
    return name;
  }

  #ipv6(found: string): string {
    // A colon behind an address ends a clause.
    const [plain = "", tail = ""] = /^(.*?[^:]|.*::)(:?)$/.exec(found)?.slice(1) ?? [found];
    const [address = "", zone] = plain.split("%");
    if (!isIPv6(address)) return found;
    return `${this.#address(address.toLowerCase())}${zone === undefined ? "" : "%[zone]"}${tail}`;
  }

  #address(address: string): string {
    if (LOOPBACK.test(address)) return address;
    const known = this.#addresses.get(address);
    if (known) return known;
    const kind = LOCAL.test(address) ? "local address" : "public address";
    const name = `[${kind} ${this.#addresses.size + 1}]`;
    this.#addresses.set(address, name);
    return name;
  }
}
