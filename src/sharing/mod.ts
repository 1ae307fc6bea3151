/** The shared library: items found on the LAN, fetched from many peers at once, installed safely. */
export { Catalog } from "./catalog.ts";
export type { BandwidthLimits, SharingComponents } from "./components.ts";
export type { Download } from "./downloads.ts";
export { LIBRARY_EVENTS } from "./events.ts";
export { systemFiles } from "./files.ts";
export type { ListedItem } from "./merged_items.ts";
export { Sharing } from "./sharing.ts";
export type { Transfer } from "./transfers.ts";
export { ArchiveUnpacker } from "./unpack/archives.ts";
