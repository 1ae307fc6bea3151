import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { DaemonError, type EventBus, logger, type Service, toDaemonError } from "../core/mod.ts";
import { type FolderRules, isWithin } from "./folder_rules.ts";
import type { LibraryEntry, LibraryFile, LocationEntry } from "./library_file.ts";

/** The library that every daemon has, contract 2.4. */
export const DEFAULT_LIBRARY = "default";
/** Libraries of one daemon. */
export const MAX_LIBRARIES = 256;
/** Folders of one library. */
export const MAX_LOCATIONS = 1_024;
/** Longest name. */
export const MAX_NAME_LENGTH = 64;

const log = logger("library");

/** A library as callers see it. */
export interface Library {
  readonly id: string;
  readonly name: string;
  readonly dir: string;
  /** A closed library takes no work. */
  readonly isOpen: boolean;
}

/** A location as callers see it. */
export interface Location {
  readonly id: string;
  readonly libraryId: string;
  readonly path: string;
}

/** What {@link Libraries} uses. */
export interface LibrariesComponents {
  events: Pick<EventBus, "publish">;
  file: LibraryFile;
  folders: FolderRules;
  /** Ends the work under way in a library that closes. */
  cancelJobs(libraryId: string): Promise<void>;
}

/** How {@link Libraries} behaves. */
export interface LibrariesInit {
  /** Where a library lives whose folder nobody named. */
  folder: string;
}

/**
 * The libraries of this daemon and their locations: what is known of them, never their files.
 * Every change is on disk before it counts and before anybody hears of it.
 */
export class Libraries implements Service {
  readonly name = "libraries";
  readonly #components: LibrariesComponents;
  readonly #init: LibrariesInit;
  #entries: readonly LibraryEntry[] = [];
  #changes: Promise<unknown> = Promise.resolve();

  constructor(components: LibrariesComponents, init: LibrariesInit) {
    this.#components = components;
    this.#init = init;
  }

  /**
   * Reads the file; the first start makes the default library.
   *
   * @throws {DaemonError} `data_loss` if the file is damaged.
   */
  async start(): Promise<void> {
    const entries = await this.#components.file.read();
    this.#entries = entries ?? [];
    if (this.#entries.some(({ id }) => id === DEFAULT_LIBRARY)) return;
    try {
      await this.#add({ id: DEFAULT_LIBRARY, name: DEFAULT_LIBRARY, dir: undefined });
    } catch (failure) {
      if (toDaemonError(failure).code !== "resource_exhausted") throw failure;
      log.warn("Disk is full: there is no default library until a start finds room");
    }
  }

  async stop(): Promise<void> {
    await this.#changes;
  }

  /** All libraries, in the order they were made. */
  list(): Library[] {
    return this.#entries.map(libraryOf);
  }

  /** @throws {DaemonError} `not_found`. */
  get(id: string): Library {
    return libraryOf(this.#entry(id));
  }

  /** @throws {DaemonError} `not_found`, or `failed_precondition` if it is closed. */
  getOpen(id: string): Library {
    const library = this.get(id);
    if (library.isOpen) return library;
    throw new DaemonError(
      "failed_precondition",
      `Cannot work in library "${id}": it is closed; open it first`,
    );
  }

  /**
   * Makes a library.
   *
   * @param dir Its folder, made if it is not there; one of our own when absent.
   * @throws {DaemonError} `already_exists` for a name or folder in use, `resource_exhausted`,
   *   `invalid_argument`, `permission_denied`.
   */
  create(name: string, dir?: string): Promise<Library> {
    return this.#change(() => this.#add({ id: randomUUID(), name, dir }));
  }

  /** Lets a library take work again; nothing happens to an open one. */
  open(id: string): Promise<Library> {
    return this.#change(() => this.#setOpen(id, true));
  }

  /** Ends the work in a library and takes no more; nothing happens to a closed one. */
  async close(id: string): Promise<Library> {
    const library = await this.#change(() => this.#setOpen(id, false));
    await this.#components.cancelJobs(id);
    return library;
  }

  /**
   * Forgets a library and its locations. No file of a user is removed.
   *
   * @throws {DaemonError} `failed_precondition` for the default library.
   */
  async delete(id: string): Promise<Library> {
    const library = await this.#change(() => this.#remove(id));
    await this.#components.cancelJobs(id);
    return library;
  }

  /** The folders of one library, or of all. @throws {DaemonError} `not_found`. */
  locations(libraryId?: string): Location[] {
    const entries = libraryId === undefined ? this.#entries : [this.#entry(libraryId)];
    return entries.flatMap((entry) => entry.locations.map((one) => locationOf(entry, one)));
  }

  /**
   * Adds a folder to a library.
   *
   * @throws {DaemonError} `already_exists` if it, a folder around it or one inside it is in the
   *   library; `not_found`, `invalid_argument`, `permission_denied`, `resource_exhausted`.
   */
  addLocation(libraryId: string, path: string): Promise<Location> {
    return this.#change(async () => {
      this.getOpen(libraryId);
      const real = await this.#components.folders.usableFolder(path, "location");
      const entry = this.#entry(libraryId);
      checkLocation(entry, real);
      const location = { id: randomUUID(), path: real };
      await this.#replace({ ...entry, locations: [...entry.locations, location] });
      this.#components.events.publish("location.added", {
        id: location.id,
        library_id: libraryId,
        path: real,
      });
      return locationOf(entry, location);
    });
  }

  /** Takes a folder out of its library; its files stay. @throws {DaemonError} `not_found`. */
  removeLocation(id: string): Promise<Location> {
    return this.#change(async () => {
      const entry = this.#entries.find(({ locations }) => locations.some((one) => one.id === id));
      const location = entry?.locations.find((one) => one.id === id);
      if (!entry || !location) {
        throw new DaemonError("not_found", `Cannot find location "${id}": no library has it`);
      }
      const locations = entry.locations.filter((one) => one.id !== id);
      await this.#replace({ ...entry, locations });
      const { path } = location;
      this.#components.events.publish("location.removed", { id, library_id: entry.id, path });
      return locationOf(entry, location);
    });
  }

  async #add(wanted: { id: string; name: string; dir: string | undefined }): Promise<Library> {
    const { id, name } = wanted;
    this.#checkName(name);
    if (this.#entries.length >= MAX_LIBRARIES) {
      throw new DaemonError(
        "resource_exhausted",
        `Cannot make more than ${MAX_LIBRARIES} libraries`,
      );
    }
    const dir = await this.#components.folders.makeFolder(
      wanted.dir ?? join(this.#init.folder, id),
      "library folder",
    );
    const other = this.#entries.find((one) => isWithin(dir, one.dir) || isWithin(one.dir, dir));
    if (other) throw taken(`library folder "${dir}"`, `library "${other.name}" has ${other.dir}`);
    const entry = { id, name, dir, is_open: true, locations: [] };
    await this.#save([...this.#entries, entry]);
    this.#components.events.publish("library.created", { id, name });
    return libraryOf(entry);
  }

  async #setOpen(id: string, isOpen: boolean): Promise<Library> {
    const entry = this.#entry(id);
    if (entry.is_open !== isOpen) {
      await this.#replace({ ...entry, is_open: isOpen });
      const { name } = entry;
      this.#components.events.publish(isOpen ? "library.opened" : "library.closed", { id, name });
    }
    return this.get(id);
  }

  async #remove(id: string): Promise<Library> {
    const entry = this.#entry(id);
    if (id === DEFAULT_LIBRARY) {
      throw new DaemonError(
        "failed_precondition",
        `Cannot delete library "${id}": every daemon has it; close it instead`,
      );
    }
    await this.#save(this.#entries.filter((other) => other.id !== id));
    this.#components.events.publish("library.deleted", { id, name: entry.name });
    return libraryOf(entry);
  }

  #checkName(name: string): void {
    const isPlain = /^[^\p{C}]+$/u.test(name) && name === name.trim();
    if (!isPlain || name.length > MAX_NAME_LENGTH) {
      throw new DaemonError(
        "invalid_argument",
        `Cannot name a library ${JSON.stringify(name.slice(0, 200))}: a name has 1 to ` +
          `${MAX_NAME_LENGTH} visible characters and no space at either end`,
      );
    }
    const key = nameKey(name);
    const other = this.#entries.find((one) => nameKey(one.name) === key);
    if (other) throw taken(`library name "${name}"`, `library ${other.id} has it`);
  }

  #entry(id: string): LibraryEntry {
    const entry = this.#entries.find((one) => one.id === id);
    if (entry) return entry;
    throw new DaemonError("not_found", `Cannot find library "${id}": there is none with this id`);
  }

  async #replace(entry: LibraryEntry): Promise<void> {
    await this.#save(this.#entries.map((one) => one.id === entry.id ? entry : one));
  }

  async #save(entries: readonly LibraryEntry[]): Promise<void> {
    await this.#components.file.write(entries);
    this.#entries = entries;
  }

  // One change at a time: each is decided on what the one before left behind.
  #change<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#changes.then(work);
    this.#changes = result.catch(() => undefined);
    return result;
  }
}

function checkLocation({ id, locations }: LibraryEntry, path: string): void {
  if (locations.length >= MAX_LOCATIONS) {
    throw new DaemonError(
      "resource_exhausted",
      `Cannot add location "${path}": library "${id}" has ${MAX_LOCATIONS} already`,
    );
  }
  const other = locations.find((one) => isWithin(path, one.path) || isWithin(one.path, path));
  if (other) throw taken(`location "${path}"`, `library "${id}" has ${other.path}`);
}

function nameKey(name: string): string {
  return name.normalize("NFKC").toLowerCase();
}

function taken(what: string, reason: string): DaemonError {
  return new DaemonError("already_exists", `Cannot use ${what}: ${reason}`);
}

function libraryOf({ id, name, dir, is_open }: LibraryEntry): Library {
  return Object.freeze({ id, name, dir, isOpen: is_open });
}

function locationOf({ id: libraryId }: LibraryEntry, { id, path }: LocationEntry): Location {
  return Object.freeze({ id, libraryId, path });
}
