/** Parts of the composition root, one file a subject: these files and `daemon.ts` see everything. */
export { assembleDoors } from "./doors.ts";
export { addGauges, droppedCounts } from "./figures.ts";
export { assembleNetwork } from "./network.ts";
export { watchedListeners } from "./watched.ts";
