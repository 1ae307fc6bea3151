/** Parts of the composition root, one file a subject: these files and `daemon.ts` see everything. */
export { assembleDoors, type Doors } from "./doors.ts";
export { addGauges, type Counted, droppedCounts } from "./figures.ts";
export { type NetworkInput, networkUses } from "./network.ts";
export { assembleOutside } from "./outside.ts";
export { announcer, connectionCaps } from "./start_end.ts";
export { watchedListeners } from "./watched.ts";
