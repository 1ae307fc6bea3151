import * as z from "zod";
import { action, once, query } from "../core/mod.ts";
import type { Library, Location } from "../library/mod.ts";
import type { Components } from "./components.ts";
import { DEFAULT_LIBRARY_ID, Id } from "./schemas.ts";

const LibraryOutput = once(() =>
  z.object({
    id: z.string(),
    name: z.string(),
    dir: z.string(),
    is_open: z.boolean(),
  })
);
const LocationOutput = once(() =>
  z.object({ id: z.string(), library_id: z.string(), path: z.string() })
);
const LibraryInput = once(() => z.strictObject({ id: Id() }));
type Uses = Pick<Components, "libraries">;

/** All libraries. */
export const listLibraries = query({
  name: "libraries.list",
  summary: "The libraries of this daemon",
  input: () => z.strictObject({}),
  output: () => z.object({ libraries: z.array(LibraryOutput()) }),
  run: (_input, { libraries }: Uses) => ({ libraries: libraries.list().map(libraryOutput) }),
});

/** Makes a library. */
export const createLibrary = action({
  name: "libraries.create",
  summary: "Make a library; without a folder it gets one of its own",
  positional: ["name", "dir"],
  input: () => z.strictObject({ name: z.string(), dir: z.string().optional() }),
  output: LibraryOutput,
  run: async ({ name, dir }, { libraries }: Uses) =>
    libraryOutput(await libraries.create(name, dir)),
});

/** Opens a library. */
export const openLibrary = action({
  name: "libraries.open",
  summary: "Let a closed library take work again",
  positional: ["id"],
  input: LibraryInput,
  output: LibraryOutput,
  run: async ({ id }, { libraries }: Uses) => libraryOutput(await libraries.open(id)),
});

/** Closes a library. */
export const closeLibrary = action({
  name: "libraries.close",
  summary: "Cancel the jobs of a library and take no more of them",
  positional: ["id"],
  input: LibraryInput,
  output: LibraryOutput,
  run: async ({ id }, { libraries }: Uses) => libraryOutput(await libraries.close(id)),
});

/** Forgets a library. */
export const deleteLibrary = action({
  name: "libraries.delete",
  summary: "Forget a library and its locations; no file of it is removed",
  positional: ["id"],
  input: LibraryInput,
  output: LibraryOutput,
  run: async ({ id }, { libraries }: Uses) => libraryOutput(await libraries.delete(id)),
});

/** The folders of libraries. */
export const listLocations = query({
  name: "locations.list",
  summary: "The folders that belong to a library, or to any",
  input: () => z.strictObject({ library_id: Id().optional() }),
  output: () => z.object({ locations: z.array(LocationOutput()) }),
  run: ({ library_id }, { libraries }: Uses) => ({
    locations: libraries.locations(library_id).map(locationOutput),
  }),
});

/** Adds a folder to a library. */
export const addLocation = action({
  name: "locations.add",
  summary: "Add a folder to a library",
  positional: ["path"],
  input: () => z.strictObject({ path: z.string(), library_id: Id().default(DEFAULT_LIBRARY_ID) }),
  output: LocationOutput,
  run: async ({ path, library_id }, { libraries }: Uses) =>
    locationOutput(await libraries.addLocation(library_id, path)),
});

/** Takes a folder out of its library. */
export const removeLocation = action({
  name: "locations.remove",
  summary: "Take a folder out of its library; its files stay",
  positional: ["id"],
  input: () => z.strictObject({ id: Id() }),
  output: LocationOutput,
  run: async ({ id }, { libraries }: Uses) => locationOutput(await libraries.removeLocation(id)),
});

function libraryOutput(
  { id, name, dir, isOpen }: Library,
): z.input<ReturnType<typeof LibraryOutput>> {
  return { id, name, dir, is_open: isOpen };
}

function locationOutput(
  { id, libraryId, path }: Location,
): z.input<ReturnType<typeof LocationOutput>> {
  return { id, library_id: libraryId, path };
}
