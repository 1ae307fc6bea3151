import * as z from "zod";
import { action } from "../core/mod.ts";
import type { Components } from "./components.ts";
import { DEFAULT_LIBRARY_ID } from "./schemas.ts";

/** Most files and folders of one call. */
const MAX_SOURCES = 1_000;

/** Copies or moves files and folders, contract 2.4. */
export const copyFiles = action({
  name: "files.copy",
  scope: "library",
  summary: "Copy or move files and folders, as a job",
  positional: ["sources", "destination"],
  input: () =>
    z.strictObject({
      sources: z.array(z.string()).min(1).max(MAX_SOURCES)
        .describe("Absolute paths of files and folders"),
      destination: z.string()
        .describe("Absolute path: a folder that is there, or the name of the only source's copy"),
      method: z.enum(["Auto", "Atomic", "Streaming"]).default("Auto")
        .describe("Auto clones where the file system can; Atomic syncs; Streaming always reads"),
      move_files: z.boolean().default(false).describe("Remove each source once its copy is safe"),
      overwrite: z.boolean().default(false).describe("Replace files that have a target's name"),
    }),
  output: () => z.object({ job_id: z.string() }),
  run: async (input, { fileCopy }: Pick<Components, "fileCopy">, { libraryId, requestId }) => {
    const { jobId } = await fileCopy.begin({
      sources: input.sources,
      destination: input.destination,
      method: input.method,
      isMove: input.move_files,
      isReplacing: input.overwrite,
    }, { libraryId: libraryId ?? DEFAULT_LIBRARY_ID, requestId });
    return { job_id: jobId };
  },
});
