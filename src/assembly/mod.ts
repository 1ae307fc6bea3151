/** Parts of the composition root, one file a subject: these files and `daemon.ts` see everything. */
export { assembleDoors, type Doors } from "./doors.ts";
export { addGauges, type Counted, droppedCounts } from "./figures.ts";
export { assembleNetwork } from "./network.ts";
export { assembleSharing } from "./sharing.ts";
export { watchedListeners } from "./watched.ts";
