/** Plugins: their contract, their lifecycle, and the daemon as they see it. */
export { formatAddress, type NodeAddress, nodeNumber, parseAddress } from "./address.ts";
export { PluginHost, type PluginHostInit, type PluginState } from "./plugin_host.ts";
export { NoServiceError } from "./services.ts";
export type { WebhookStats } from "./plugin.ts";
export { Invitations } from "./trust/invitations.ts";
