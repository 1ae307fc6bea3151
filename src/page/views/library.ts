import { useState } from "preact/hooks";
import { html, type View } from "../html.ts";
import { ActionButton, Badge, Card, Empty, Missing, Plain } from "../parts/basic.ts";
import { VirtualTable } from "../parts/virtual_rows.ts";
import { useApp } from "../state/app.ts";
import { useResource } from "../state/resource.ts";
import { bytesText, countText } from "../text/figures.ts";
import { plain } from "../text/plain.ts";
import type { OutputOf } from "../../client/mod.ts";
import { AddFolder } from "./add_folder.ts";
import { ItemButtons } from "./item_buttons.ts";
import { TransferList } from "./transfers.ts";

type Answer = OutputOf<"query", "library.items">;
type Item = Answer["items"][number];

/** What peers share and what is here, and everything that can be done with it. */
export function Library(): View {
  const app = useApp();
  const { data, problem } = useResource(app.resources.items);
  const [search, setSearch] = useState("");
  if (!data) return html`<${Missing} problem=${problem} what="the library" />`;
  const wanted = search.toLowerCase();
  const items = data.items.filter(({ id, name }) =>
    `${id}\n${name}`.toLowerCase().includes(wanted)
  );
  return html`
    <div class="grid">
      <${TransferList} items=${data.items} />
      <${Card} title="Items" wide actions=${html`
        <${Tools} search=${search}
          onSearch=${setSearch} />
      `}>
        <p
          class="muted">${countText(data.items.length, "item")}, ${countText(
            data.peers,
            "peer shares",
            "peers share",
          )} a library. Here: <code class="long">${plain(data.dir)}</code></p>
        <${VirtualTable} label="Items" layout="items" rows=${items} keyOf=${(item: Item) => item.id}
          columns=${["Item", "Version", "Size", "State", "Peers", "Actions"]} cellsOf=${cellsOf}
          empty=${html`<${Empty}>${
            search
              ? "Nothing has this in its name."
              : "Nothing is shared yet. Add a folder here, or start almenad on a machine that shares one."
          }<//>`} />
        <//>
        </div>
  `;
}

function cellsOf(item: Item) {
  return [
    html`<b class="name"><${Plain} text=${item.name} max=${120} /></b>`,
    html`<span><${Plain} text=${item.local_version ?? item.version} max=${40} />${
      item.can_update
        ? html`
          <small>newer: <${Plain} text=${item.version} max=${40} /></small>
        `
        : null
    }</span>`,
    bytesText(item.size),
    html`<span><${State} item=${item} /><${NotShared} item=${item} /></span>`,
    String(item.peers),
    html`<${ItemButtons} item=${item} />`,
  ];
}

function State({ item }: { item: Item }): View {
  if (item.problem) {
    return html`<span title=${plain(item.problem)}><${Badge} tone="bad">blocked<//>
      <small class="problem"><${Plain} text=${item.problem} max=${160} /></small></span>`;
  }
  if (item.activity) return html`<${Badge} tone="accent">${plain(item.activity, 40)}<//>`;
  if (item.can_update) return html`<${Badge} tone="warn">update<//>`;
  if (item.not_listed) {
    return html`<span title=${plain(item.not_listed)}><${Badge} tone="warn">not shared<//>
      <small class="problem"><${Plain} text=${item.not_listed} max=${160} /></small></span>`;
  }
  if (item.installed) return html`<${Badge} tone="good">installed<//>`;
  return html`<${Badge} tone="plain">${item.downloaded ? "downloaded" : "at peers"}<//>`;
}

// What peers do not get of an item its owner would not ask for.
function NotShared({ item: { not_shared: files } }: { item: Item }): View | null {
  if (!files) return null;
  const named = files.files.map(({ path, reason }) => `${path} (${reason})`).join(", ");
  const title = plain(`${named}${files.count > files.files.length ? ", …" : ""}`);
  return html`
    <small class="problem" title=${title}>${countText(
      files.count,
      "file is",
      "files are",
    )} not shared</small>
  `;
}

function Tools({ search, onSearch }: { search: string; onSearch: (text: string) => void }): View {
  const { calls } = useApp();
  return html`
    <div class="buttons">
      <label class="field"><span class="hidden">Search items</span>
          <input type="search" placeholder="Search" value=${search}
            onInput=${(event: InputEvent) => onSearch((event.target as HTMLInputElement).value)} />
        </label>
      <${ActionButton} label="Scan" title="Scan the folder again" tone="quiet"
        done="The folder was looked at" work=${() => calls.act("library.scan", {})} />
      <${AddFolder} />
    </div>
  `;
}
