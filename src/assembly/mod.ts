/** Parts of the composition root, one file a subject: these files and `daemon.ts` see everything. */
export { assembleDoors, type Doors } from "./doors.ts";
export { addGauges, type Counted, droppedCounts } from "./figures.ts";
export { assembleNetwork, type NetworkParts } from "./network.ts";
export { assemblePlugins, type PluginParts } from "./plugins.ts";
