import { join } from "node:path";
import type { Clock, EventBus, Service } from "../core/mod.ts";
import { CopyJournal } from "./copy_journal.ts";
import { FileCopy } from "./file_copy.ts";
import { FolderRules } from "./folder_rules.ts";
import { Jobs } from "./jobs.ts";
import { Libraries } from "./libraries.ts";
import { LibraryFile } from "./library_file.ts";

/** The folders a {@link Shelf} needs. */
export interface ShelfFolders {
  /** Below it are the files of this daemon and of its sister instances. */
  readonly root: string;
  /** Below it, libraries without a folder of their own choice live. */
  readonly base: string;
  /** Holds libraries.json. */
  readonly data: string;
}

/** Libraries, jobs and file copies, joined. */
export interface Shelf {
  readonly libraries: Libraries;
  readonly jobs: Jobs;
  readonly fileCopy: FileCopy;
  /** In start order. */
  readonly services: readonly Service[];
}

/** Makes what a daemon keeps for its users. */
export function createShelf(
  { clock, events }: { clock: Clock; events: Pick<EventBus, "publish"> },
  { root, base, data }: ShelfFolders,
): Shelf {
  const folder = join(base, "libraries");
  const folders = new FolderRules(root, folder);
  const jobs = new Jobs({ clock, events });
  const libraries = new Libraries({
    events,
    folders,
    file: new LibraryFile(data),
    cancelJobs: (libraryId) => jobs.cancelLibrary(libraryId),
  }, { folder });
  const fileCopy = new FileCopy({
    events,
    libraries,
    jobs,
    folders,
    journal: new CopyJournal(data),
  });
  return { libraries, jobs, fileCopy, services: [jobs, libraries, fileCopy] };
}
