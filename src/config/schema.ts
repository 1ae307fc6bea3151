import * as z from "zod";
import { interpretSchemas, once } from "../core/mod.ts";
import { textProblem } from "./text_problem.ts";

/** gRPC listener of the original; 127.0.0.1 is bound beside it, contract 1.2. */
export const DEFAULT_GRPC_ADDR = "[::1]:50051";
/** REST listener, contract 1.2. */
export const DEFAULT_REST_ADDR = "127.0.0.1:8080";
/** Swarm listeners, contract 1.2. */
export const DEFAULT_P2P_LISTEN = "/ip4/0.0.0.0/tcp/0,/ip6/::/tcp/0";
/** JSON form of the online geolocation service, contract 1.1. */
export const DEFAULT_GEOLOCATION_URL = "https://ipapi.co/json/";

interpretSchemas();

/** Everything that can be configured; the schema of config.toml. Made for a file alone. */
export const ConfigFile = once(() =>
  z.strictObject({
    grpc_addr: Checked("grpc_addr"),
    rest_addr: Checked("rest_addr"),
    p2p_listen: Checked("p2p_listen"),
    bootstrap_peers: z.string(),
    p2pd_listen: z.string().describe("Control multiaddr of the p2pd socket; off if empty"),
    dht: z.enum(["off", "client", "server"]),
    pubsub: z.boolean(),
    relay: z.boolean().describe("Use relays, punch holes, and be a relay for others"),
    relays: z.string().describe(
      "With relay: hold places at two of these, multiaddrs with /p2p/…, comma-separated",
    ),
    log: Checked("log"),
    allow_remote: z.boolean(),
    admin_token_file: z.string().describe("daemon/admin_token when empty"),
    private: z.boolean().describe("untrusted peers get the handshake only"),
    trust: z.strictObject({
      auto_approve: z.boolean(),
      allow: z.array(
        z.string().regex(/^([^=]{1,64}=)?[1-9A-HJ-NP-Za-km-z]{40,128}$/, {
          error: 'expected a peer id, or "name=<peer id>"',
        }),
      ),
    }).partial(),
    webhook: z.strictObject({
      url: z.union([z.literal(""), z.url({ protocol: /^https?$/ })]),
      secret: z.string().max(1_024),
    }).partial(),
    plugins: z.strictObject({
      enabled: z.boolean().describe("load the modules of config/plugins"),
      list: z.array(z.string().regex(/^[A-Za-z0-9._-]{1,64}$/))
        .describe("their names without .js; all when empty"),
    }).partial(),
    geolocation: z.strictObject({
      url: z.url({ protocol: /^https?$/ }),
      share: z.boolean(),
    }).partial(),
    library: z.strictObject({
      dir: z.string().describe("<data folder>/library when empty"),
      private: z.boolean().describe("Only trusted peers"),
      upload_limit: BytesPerSecond(),
      upload_limit_per_peer: BytesPerSecond(),
      download_limit: BytesPerSecond(),
      download_limit_per_peer: BytesPerSecond(),
      unpackers: z.array(z.strictObject({
        extensions: z.array(z.string().regex(/^\.\S+$/)).min(1),
        command: z.array(z.string()).min(1),
      })).describe("Programs for archives: {archive} and {target} stand for paths"),
    }).partial(),
  }).partial()
);

type Complete<T> = T extends readonly unknown[] | string | number | boolean ? T
  : { [Name in keyof T]-?: Complete<NonNullable<T[Name]>> };

/** A complete configuration. */
export type Config = Complete<z.output<ReturnType<typeof ConfigFile>>>;

/** What holds where nobody says otherwise. */
export const DEFAULTS: Config = {
  grpc_addr: DEFAULT_GRPC_ADDR,
  rest_addr: DEFAULT_REST_ADDR,
  p2p_listen: DEFAULT_P2P_LISTEN,
  bootstrap_peers: "",
  p2pd_listen: "",
  dht: "off",
  pubsub: false,
  relay: false,
  relays: "",
  log: "info",
  allow_remote: false,
  admin_token_file: "",
  private: false,
  trust: { auto_approve: false, allow: [] },
  webhook: { url: "", secret: "" },
  plugins: { enabled: false, list: [] },
  geolocation: { url: DEFAULT_GEOLOCATION_URL, share: true },
  library: {
    dir: "",
    private: false,
    upload_limit: 0,
    upload_limit_per_peer: 0,
    download_limit: 0,
    download_limit_per_peer: 0,
    unpackers: [],
  },
};

function Checked(field: string): z.ZodString {
  return z.string().superRefine((text, context) => {
    const message = textProblem(field, text);
    if (message !== undefined) context.addIssue({ code: "custom", message });
  });
}

function BytesPerSecond(): z.ZodNumber {
  return z.number().int().min(0).describe("Bytes a second, 0 for no limit");
}
