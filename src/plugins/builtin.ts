/** The built-in plugins, one line each: the only list there is. */
export { register as handshake } from "./trust/handshake_plugin.ts";
export { register as policy } from "./policy/policy_plugin.ts";
export { register as trustedagents } from "./trust/trusted_agents.ts";
export { register as webhook } from "./webhook/webhook_plugin.ts";
