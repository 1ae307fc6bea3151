/** What this daemon keeps for its users: libraries, their locations, files, and jobs on them. */
export type { FileCopy } from "./file_copy.ts";
export { FolderRules } from "./folder_rules.ts";
export type { JobSnapshot } from "./job_state.ts";
export type { Jobs } from "./jobs.ts";
export type { Libraries, Library, Location } from "./libraries.ts";
export { createShelf, type Shelf } from "./shelf.ts";
