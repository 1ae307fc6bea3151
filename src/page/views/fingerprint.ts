import { html, type View } from "../html.ts";
import { Plain } from "../parts/basic.ts";
import { useAsked } from "./asked.ts";

/** Six words that two people read to each other to make sure that they mean one machine. */
export function Fingerprint({ peerId }: { peerId: string }): View {
  const input = { peer: peerId };
  const { data } = useAsked("network.peer", input, 60_000);
  return html`<p class="words"><span class="muted">In words, to compare</span>
    <b><${Plain} text=${data?.words.join(" ") ?? "…"} /></b></p>`;
}
