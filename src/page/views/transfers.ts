import { html, type View } from "../html.ts";
import { ActionButton, Badge, Card, Empty, Plain } from "../parts/basic.ts";
import { VirtualTable } from "../parts/virtual_rows.ts";
import { useApp } from "../state/app.ts";
import { useResource } from "../state/resource.ts";
import { bytesText, countText, rateText, spanText } from "../text/figures.ts";
import { plain } from "../text/plain.ts";
import type { Transfer } from "../wire/shapes.ts";
import { PeerLegend, PieceBar } from "./piece_bar.ts";

/** An item's id with its name. */
interface Named {
  readonly id: string;
  readonly name: string;
}

/** Everything that is being fetched, piece by piece. */
export function TransferList({ items }: { items: readonly Named[] }): View {
  const { data } = useResource(useApp().resources.transfers);
  const transfers = data?.transfers ?? [];
  const nameOf = (id: string) => items.find((item) => item.id === id)?.name ?? id;
  const rate = transfers.reduce((sum, { bytes_per_second }) => sum + bytes_per_second, 0);
  return html`<${Card} title="Transfers" wide actions=${html`<small>${
    transfers.length === 0
      ? "none"
      : `${countText(transfers.length, "transfer")}, ${rateText(rate)}`
  }</small>`}>
    <${VirtualTable} label="Transfers" layout="transfers" rows=${transfers}
      keyOf=${(transfer: Transfer) => transfer.id} columns=${[
    "Item",
    "Pieces",
    "Progress",
    "Action",
  ]}
      cellsOf=${(transfer: Transfer) => cellsOf(transfer, nameOf(transfer.id))}
      empty=${html`<${Empty}>Nothing is being fetched.<//>`} />
    ${
    data?.more
      ? html`<p class="muted">${countText(data.more, "further transfer")} under way.</p>`
      : null
  }
  <//>`;
}

function cellsOf(transfer: Transfer, name: string) {
  return [
    html`
      <b class="name"><${Plain} text=${name} max=${120} /></b>
      <${Badge} tone=${transfer.status === "Waiting"
        ? "warn"
        : "accent"}>${transfer.status === "Waiting" ? "waits" : "fetching"}<//>
    `,
    html`<div class="bar-cell"><${PieceBar} transfer=${transfer} /><small>${
      transfer.problem
        ? html`<span class="problem"><${Plain} text=${transfer.problem} max=${200} /></span>`
        : html`<${PeerLegend} transfer=${transfer} />`
    }</small></div>`,
    html`<div class="figures"><b>${percentText(transfer)}</b><small>${
      bytesText(transfer.bytes_done)
    } of ${bytesText(transfer.bytes_total)}</small>
      <small>${rateText(transfer.bytes_per_second)}, ${
      transfer.seconds_left === undefined
        ? "time left not known"
        : `${spanText(transfer.seconds_left)} left`
    }</small></div>`,
    html`<${Cancel} id=${transfer.id} name=${name} />`,
  ];
}

function percentText({ bytes_done: done, bytes_total: total }: Transfer): string {
  return total > 0 ? `${Math.floor(100 * done / total)} %` : "0 %";
}

function Cancel({ id, name }: { id: string; name: string }): View {
  const { calls, resources } = useApp();
  const work = async () => {
    await calls.act("library.cancel", { id });
    resources.transfers.refresh();
    resources.items.refresh();
  };
  return html`
    <${ActionButton} label="Cancel" title=${`Cancel ${plain(name, 60)}`} tone="quiet"
      done=${`${plain(name, 60)} was cancelled`} work=${work} />
  `;
}
