/** Install, update and uninstall so that a stop at any step leaves the old version or the new, contract 5.4. */
import { join } from "node:path";
import { type Clock, DaemonError, logger } from "../core/mod.ts";
import { diskError, type Files, removeIfThere, removeTree, writeSynced } from "./files.ts";
import { type Intent, newIntent, noIntent, planRecovery, readIntent } from "./intent.ts";
import { type RecoveryStep, type SideFolder, takenPlace, writeIntent } from "./intent.ts";
import { BACKUP, INSTALLING, INTENT, INTENT_TEMP, LOCAL, OWNED } from "./names.ts";
import { SENTINEL_PARKED, SENTINEL_TEMP } from "./names.ts";

/** How far an unpacker is. */
export interface UnpackProgress {
  readonly bytes: number;
  readonly files: number;
}

/** Turns what was downloaded into what is installed; injected, contract 5.4. */
export interface Unpacker {
  /**
   * Fills the target, an empty folder but for the mark of its owner.
   *
   * @throws {DaemonError} for an entry that leaves the target, or whatever else goes wrong.
   */
  unpack(
    archiveRoot: string,
    targetDir: string,
    signal: AbortSignal,
    onProgress: (progress: UnpackProgress) => void,
  ): Promise<void>;
}

/** What {@link Installs} uses. */
export interface InstallsComponents {
  readonly files: Files;
  readonly clock: Pick<Clock, "now">;
  readonly unpacker: Unpacker;
}

/** What an installation is told. */
export interface InstallInit {
  readonly version: string;
  readonly signal: AbortSignal;
  readonly onProgress?: (progress: UnpackProgress) => void;
}

const log = logger("sharing");

/** The install-side transactions of item folders. The caller sees to one at a time an item. */
export class Installs {
  readonly #components: InstallsComponents;

  constructor(components: InstallsComponents) {
    this.#components = components;
  }

  /**
   * Installs an item, or replaces the installed version.
   *
   * @throws {DaemonError} after the earlier state was put back.
   */
  async install(root: string, init: InstallInit): Promise<void> {
    const { files } = this.#components;
    const before = await this.#settled(root);
    const isUpdate = (await files.facts(join(root, LOCAL)))?.kind === "folder";
    await this.#refuseForeign(root, isUpdate ? [INSTALLING, BACKUP] : [INSTALLING, LOCAL]);
    await this.#attempt(root, isUpdate ? "update" : "install", async () => {
      const intent = newIntent({
        state: isUpdate ? "Updating" : "Installing",
        phase: isUpdate ? "unpack" : null,
        from_version: isUpdate ? before.installed_version : null,
        to_version: init.version,
      }, this.#components.clock.now());
      await writeIntent(files, root, intent);
      await this.#unpack(root, init);
      if (isUpdate) await this.#swap(root, intent);
      else await this.#promote(root);
      await writeIntent(files, root, noIntent(init.version));
    });
  }

  /**
   * Removes what is installed; what was downloaded stays.
   *
   * @throws {DaemonError} `failed_precondition` if nothing is installed. Another failure leaves the
   *   removal to the next start.
   */
  async uninstall(root: string): Promise<void> {
    const { files } = this.#components;
    const before = await this.#settled(root);
    if ((await files.facts(join(root, LOCAL)))?.kind !== "folder") {
      throw new DaemonError("failed_precondition", `Cannot uninstall ${root}: it is not installed`);
    }
    await this.#refuseForeign(root, [BACKUP]);
    try {
      await writeIntent(
        files,
        root,
        newIntent({
          ...{ state: "Uninstalling", phase: null, to_version: null },
          from_version: before.installed_version,
        }, this.#components.clock.now()),
      );
      await this.#park(root);
      await removeTree(files, join(root, BACKUP), OWNED);
      await files.syncFolder(root);
      await writeIntent(files, root, noIntent(null));
    } catch (failure) {
      throw diskError(`uninstall ${root}`, failure);
    }
  }

  /**
   * Puts an item's folder right after a stop at any moment; does nothing to one that is right.
   * Running it again changes nothing.
   *
   * @returns The log as it is now.
   * @throws {DaemonError} `data_loss` if the log cannot be read; nothing was deleted then.
   */
  async recover(root: string): Promise<Intent> {
    const { files } = this.#components;
    const intent = await readIntent(files, root);
    for (const name of [INTENT_TEMP, SENTINEL_TEMP, SENTINEL_PARKED]) {
      await this.#removeOurs(join(root, name));
    }
    const state = intent?.state ?? "None";
    const local = (await files.facts(join(root, LOCAL)))?.kind === "folder";
    const [installing, backup] = [
      await this.#side(root, INSTALLING),
      await this.#side(root, BACKUP),
    ];
    const plan = planRecovery({ state, phase: intent?.phase ?? null, local, installing, backup });
    if (plan.warning) log.warn("An item lost its installation", { root, reason: plan.warning });
    if (state === "None" && (installing === "foreign" || backup === "foreign")) {
      log.warn("A folder with a reserved name is not ours and is left alone", { root });
    }
    if (intent?.phase === "swap" && plan.result === "from") {
      // A stop on the way back must not find what looks like the end of the way forth.
      await writeIntent(files, root, { ...intent, phase: "unpack" });
    }
    for (const step of plan.steps) await this.#recoveryStep(root, step, intent);
    if (local || plan.steps.includes("restore backup")) {
      await this.#removeOurs(join(root, LOCAL, OWNED)); // left where a mark was not taken off
    }
    const version = {
      "as before": intent?.installed_version ?? null,
      from: intent?.from_version ?? null,
      to: intent?.to_version ?? null,
      none: null,
    }[plan.result];
    const settled = noIntent(version);
    if (plan.steps.length > 0) await files.syncFolder(root);
    if (intent && state !== "None") await writeIntent(files, root, settled);
    return settled;
  }

  /** Forgets an intent log that cannot be read: what is installed counts, owned side folders go. */
  async repair(root: string): Promise<Intent> {
    const { files } = this.#components;
    try {
      await readIntent(files, root);
    } catch (failure) {
      if (!(failure instanceof DaemonError)) throw failure;
      const path = join(root, INTENT);
      if ((await files.facts(path))?.kind === "folder") {
        throw new DaemonError("failed_precondition", `Cannot repair ${root}: ${path} is a folder`);
      }
      await removeIfThere(files, path);
      await files.syncFolder(root);
    }
    return await this.recover(root);
  }

  // An earlier failure may have left an intent behind, such as on a full disk.
  async #settled(root: string): Promise<Intent> {
    const intent = await readIntent(this.#components.files, root);
    if (!intent) return noIntent(null);
    return intent.state === "None" ? intent : await this.recover(root);
  }

  async #attempt(root: string, what: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (failure) {
      try {
        await this.recover(root);
      } catch (error) {
        log.warn("An item is put right at the next start", { root, error });
      }
      throw diskError(`${what} ${root}`, failure);
    }
  }

  async #unpack(root: string, init: InstallInit): Promise<void> {
    const { files, unpacker } = this.#components;
    const target = join(root, INSTALLING);
    if ((await files.facts(target))?.kind === "folder") await removeTree(files, target, OWNED);
    await files.makeFolder(target);
    await this.#mark(target);
    await files.syncFolder(root);
    await unpacker.unpack(root, target, init.signal, init.onProgress ?? (() => undefined));
    init.signal.throwIfAborted();
    await files.syncFolder(target);
  }

  async #swap(root: string, intent: Intent): Promise<void> {
    const { files } = this.#components;
    // From here on a backup is the version before: none of an earlier time may be left.
    await this.#removeBackup(root);
    await writeIntent(files, root, { ...intent, phase: "swap" });
    await this.#park(root);
    await this.#promote(root);
    await removeTree(files, join(root, BACKUP), OWNED);
    await files.syncFolder(root);
  }

  async #removeBackup(root: string): Promise<void> {
    const { files } = this.#components;
    if (await this.#side(root, BACKUP) !== "owned") return;
    await removeTree(files, join(root, BACKUP), OWNED);
    await files.syncFolder(root);
  }

  // A backup of an earlier time that was never removed makes room.
  async #park(root: string): Promise<void> {
    const { files } = this.#components;
    await this.#removeBackup(root);
    const backup = join(root, BACKUP);
    await files.rename(join(root, LOCAL), backup);
    await files.syncFolder(root);
    await this.#mark(backup);
  }

  async #promote(root: string): Promise<void> {
    const { files } = this.#components;
    await removeIfThere(files, join(root, INSTALLING, OWNED));
    await files.rename(join(root, INSTALLING), join(root, LOCAL)).catch(async (cause) => {
      throw await files.facts(join(root, LOCAL)) ? takenPlace(root, cause) : cause;
    });
    await files.syncFolder(root);
  }

  // A folder with the name of one of our files is somebody else's.
  async #removeOurs(path: string): Promise<void> {
    const { files } = this.#components;
    if ((await files.facts(path))?.kind !== "folder") return void await removeIfThere(files, path);
    log.warn("A folder with a reserved name is not ours and is left alone", { path });
  }

  async #mark(folder: string): Promise<void> {
    const { files } = this.#components;
    await writeSynced(files, join(folder, OWNED), new Uint8Array());
    await files.syncFolder(folder);
  }

  async #recoveryStep(root: string, step: RecoveryStep, intent?: Intent): Promise<void> {
    const { files } = this.#components;
    if (step === "disown backup") {
      await this.#removeOurs(join(root, BACKUP, OWNED));
      await files.syncFolder(join(root, BACKUP));
      // From here on the log names no backup, so that a later recovery leaves it alone.
      const left = {
        state: "Installing",
        phase: null,
        from_version: null,
        to_version: null,
      } as const;
      return await writeIntent(files, root, { ...noIntent(null), ...intent, ...left });
    }
    if (step === "delete installing") return await removeTree(files, join(root, INSTALLING), OWNED);
    if (step === "delete backup") return await removeTree(files, join(root, BACKUP), OWNED);
    if (step === "park local") return await this.#park(root);
    await files.rename(join(root, BACKUP), join(root, LOCAL));
    await files.syncFolder(root);
  }

  async #side(root: string, name: string): Promise<SideFolder> {
    const { files } = this.#components;
    const facts = await files.facts(join(root, name));
    if (facts?.kind !== "folder") return "none";
    const mark = await files.facts(join(root, name, OWNED));
    return mark?.kind === "file" ? "owned" : "foreign";
  }

  // Before the intent is written: afterwards a recovery would take them for ours.
  async #refuseForeign(root: string, names: readonly string[]): Promise<void> {
    for (const name of names) {
      const facts = await this.#components.files.facts(join(root, name));
      if (!facts || await this.#side(root, name) === "owned") continue;
      throw new DaemonError(
        "failed_precondition",
        `Cannot change ${root}: ${join(root, name)} is there and is not ours; move it away first`,
      );
    }
  }
}
