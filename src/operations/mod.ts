/** What may be asked of the daemon: one file a noun, and the one list of all operations. */
import type { Operation } from "../core/mod.ts";
import { listOperations } from "./catalogue.ts";
import type { Components } from "./components.ts";
import { geolocation, ping, status, systemInfo, version } from "./core.ts";
import { dhtFindPeer, dhtFindProviders, dhtGet, dhtProvide, dhtPut } from "./dht.ts";
import { events, eventSubscriptions, eventTypes, logs } from "./events.ts";
import { copyFiles } from "./files.ts";
import { closeForward, forwardDial, forwardListen, listForwards } from "./forward.ts";
import { listInstances } from "./instances.ts";
import { cancelJob, listJobs, watchJobs } from "./jobs.ts";
import {
  addLocation,
  closeLibrary,
  createLibrary,
  deleteLibrary,
  listLibraries,
  listLocations,
  openLibrary,
  removeLocation,
} from "./libraries.ts";
import {
  createNetwork,
  joinNetwork,
  leaveNetwork,
  networkMembers,
  tagMember,
} from "./member_networks.ts";
import { listLinks, showPeer, throughput, throughputLive, why } from "./links.ts";
import { health } from "./health.ts";
import { pageCode } from "./page.ts";
import { listPlugins, setWebhook, testWebhook, webhookStats } from "./plugins.ts";
import {
  cyclePolicy,
  explainPolicy,
  listPolicies,
  policyPeers,
  shadowVerdicts,
  showPolicy,
  startPolicy,
  stopPolicy,
} from "./policy.ts";
import {
  acceptInvite,
  approveTrust,
  ignoreTrust,
  inviteTrust,
  listTrust,
  pendingTrust,
  postponeTrust,
  rejectTrust,
  requestTrust,
  revokeTrust,
  trustChanges,
  waitForTrust,
} from "./trust.ts";
import { connectPeer, disconnectPeer, listPeers, networkStatus, pingPeer } from "./network.ts";
import { pubsubPublish, pubsubSubscribe, pubsubTopics } from "./pubsub.ts";
import { relayStatus, releaseRelay, reserveRelay } from "./relay.ts";

import {
  addItem,
  cancelItem,
  connectLibraryPeer,
  downloadItem,
  fetchLatest,
  getItem,
  installItem,
  libraryPeers,
  listItems,
  repairItem,
  scanLibrary,
  setLibraryDir,
  uninstallItem,
  verifyItem,
} from "./sharing.ts";
import { listTransfers, watchItem, watchTransfers } from "./transfers.ts";

export { describeOperations } from "./catalogue.ts";
export type { Components, DaemonState } from "./components.ts";
export type { EventFilter } from "./event_filter.ts";
export type { EventItem, EventName } from "./event_names.ts";
export { Subscriptions } from "./subscriptions.ts";

/** Every operation; the front doors serve what stands here, and the client is typed by it. */
export const operations = [
  ping,
  version,
  systemInfo,
  geolocation,
  status,
  listOperations,
  events,
  logs,
  eventTypes,
  eventSubscriptions,
  listPeers,
  networkStatus,
  connectPeer,
  disconnectPeer,
  pingPeer,
  dhtPut,
  dhtGet,
  dhtFindPeer,
  dhtProvide,
  dhtFindProviders,
  pubsubPublish,
  pubsubTopics,
  pubsubSubscribe,
  relayStatus,
  reserveRelay,
  releaseRelay,
  forwardListen,
  forwardDial,
  listForwards,
  closeForward,
  listLibraries,
  createLibrary,
  openLibrary,
  closeLibrary,
  deleteLibrary,
  listLocations,
  addLocation,
  removeLocation,
  copyFiles,
  listJobs,
  cancelJob,
  watchJobs,
  listInstances,
  listItems,
  getItem,
  fetchLatest,
  downloadItem,
  installItem,
  uninstallItem,
  cancelItem,
  setLibraryDir,
  libraryPeers,
  connectLibraryPeer,
  scanLibrary,
  addItem,
  repairItem,
  verifyItem,
  watchItem,
  listTransfers,
  watchTransfers,
  listTrust,
  pendingTrust,
  requestTrust,
  approveTrust,
  rejectTrust,
  revokeTrust,
  waitForTrust,
  trustChanges,
  inviteTrust,
  acceptInvite,
  listPolicies,
  showPolicy,
  startPolicy,
  stopPolicy,
  explainPolicy,
  cyclePolicy,
  policyPeers,
  networkMembers,
  createNetwork,
  joinNetwork,
  leaveNetwork,
  tagMember,
  webhookStats,
  setWebhook,
  listPlugins,
  pageCode,
  listLinks,
  showPeer,
  throughput,
  throughputLive,
  why,
  health,
  ignoreTrust,
  postponeTrust,
  shadowVerdicts,
  testWebhook,
] as const satisfies readonly Operation<Components>[];

/** The operations as types: name, kind, input and output of each. */
export type Operations = typeof operations;
