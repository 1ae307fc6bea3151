/** Parts of the composition root, one file a subject: these files and `daemon.ts` see everything. */
export { assembleDoors, type Doors } from "./doors.ts";
export { addGauges, droppedCounts } from "./figures.ts";
export { assembleNetwork, type NetworkParts } from "./network.ts";
export { assemblePlugins } from "./plugins.ts";
