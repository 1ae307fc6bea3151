import { html, type View } from "../html.ts";
import { ActionButton } from "../parts/basic.ts";
import { type App, useApp } from "../state/app.ts";
import { countText } from "../text/figures.ts";
import { plain } from "../text/plain.ts";

/** What of an item decides what can be done with it. */
export interface ItemState {
  readonly id: string;
  readonly name: string;
  readonly downloaded: boolean;
  readonly installed: boolean;
  readonly peers: number;
  readonly can_update: boolean;
  readonly activity?: string | undefined;
  readonly problem?: string | undefined;
}

/** One thing to do with an item. */
export interface ItemAction {
  readonly verb: "download" | "install" | "uninstall" | "verify" | "cancel" | "repair";
  readonly label: string;
}

/** What can be done with an item now, the likeliest first. */
export function actionsOf(item: ItemState): readonly ItemAction[] {
  if (item.activity) return [{ verb: "cancel", label: "Cancel" }];
  if (item.problem) return [{ verb: "repair", label: "Repair" }];
  const has = (is: boolean, verb: ItemAction["verb"], label: string) => is ? [{ verb, label }] : [];
  return [
    ...has(item.can_update, "download", "Update"),
    ...has(!item.downloaded && !item.can_update && item.peers > 0, "download", "Get"),
    ...has(item.downloaded && !item.installed, "install", "Install"),
    ...has(item.installed, "uninstall", "Uninstall"),
    ...has(item.downloaded, "verify", "Verify"),
  ];
}

const DONE: Readonly<Record<ItemAction["verb"], string>> = {
  download: "is being fetched",
  install: "is being installed",
  uninstall: "is being uninstalled",
  verify: "is being verified",
  cancel: "was cancelled",
  repair: "was repaired",
};

/** A button for each. */
export function ItemButtons({ item }: { item: ItemState }): View {
  const app = useApp();
  const name = plain(item.name, 60);
  return html`<div class="buttons">${
    actionsOf(item).map(({ verb, label }, index) =>
      html`
        <${ActionButton} key=${verb} label=${label} title=${`${label} ${name}`}
          tone=${index === 0 && verb !== "cancel" && verb !== "uninstall" ? "primary" : "quiet"}
          done=${`${name} ${DONE[verb]}`} work=${() => act(app, item.id, verb, name)} />
      `
    )
  }</div>`;
}

async function act(app: App, id: string, verb: ItemAction["verb"], name: string): Promise<void> {
  const { calls, resources } = app;
  if (verb === "verify") {
    await calls.act("library.verify", { id, wait: false });
    void tellVerified(app, id, name);
  } else await calls.act(`library.${verb}`, { id });
  resources.items.refresh();
  resources.transfers.refresh();
}

async function tellVerified({ calls, notices }: App, id: string, name: string): Promise<void> {
  try {
    const signal = AbortSignal.timeout(3_600_000);
    for await (const state of calls.stream("library.watch", { id }, { signal })) {
      if (state.status === "Failed") {
        return notices.tell(`Cannot verify ${name}: ${state.reason ?? "it failed"}`, "bad");
      }
      if (state.status === "Running" || !state.damaged) continue;
      const count = state.damaged.length;
      if (count === 0) {
        return notices.tell(`${name} is verified: every file is as it should be`, "good");
      }
      const files = state.damaged.slice(0, 3).map((file) => plain(file, 60)).join(", ");
      return notices.tell(`${name}: ${countText(count, "damaged file")}: ${files}`, "bad");
    }
  } catch {
    // the daemon went away; the item's state tells the rest
  }
}
