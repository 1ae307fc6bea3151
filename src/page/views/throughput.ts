import { useMemo, useState } from "preact/hooks";
import { html, type View } from "../html.ts";
import { Card, Missing } from "../parts/basic.ts";
import { bytesText, clockText, rateText } from "../text/figures.ts";
import type { ThroughputAnswer } from "../wire/shapes.ts";
import { useAsked } from "./asked.ts";
import { joined, useLivePoints } from "./live_points.ts";
import { Chart, type ChartData } from "./chart.ts";

const RANGES = [
  { id: "5m", text: "5 minutes", everyMs: 60_000, isLive: true },
  { id: "1h", text: "1 hour", everyMs: 5_000, isLive: false },
  { id: "24h", text: "24 hours", everyMs: 30_000, isLive: false },
] as const;
type Range = (typeof RANGES)[number];

/** Rows of the table beside the chart. */
const TABLE_ROWS = 10;

/** How much goes in and out, now and over the day. */
export function Throughput(): View {
  const [range, setRange] = useState<Range>(RANGES[0]);
  return html`
    <div class="grid">
      <${Card} title="In and out" wide actions=${html`
        <div class="choice" role="group"
          aria-label="Span of time">${RANGES.map((one) =>
            html`
              <button type="button" key=${one.id} aria-pressed=${one === range}
                onClick=${() => setRange(one)}>${one.text}</button>
            `
          )}</div>
      `}>
        <${Span} key=${range.id} range=${range} />
        <//>
        </div>
  `;
}

function Span({ range }: { range: Range }): View {
  const { data: first, problem } = useAsked(
    "network.throughput",
    { range: range.id },
    range.everyMs,
  );
  const live = useLivePoints(range.isLive);
  const data = useMemo(() => joined(first, live), [first, live]);
  const chart = useMemo(() => chartOf(data), [data]);
  if (!data) {
    return html`
      <div class="chart-place">
        <${Missing} problem=${problem} what="the throughput" />
      </div>
    `;
  }
  const figures = figuresOf(data);
  return html`
    <div>
      <ul class="tiles flat">
        <li><b class="figure in">${rateText(figures.nowIn)}</b><span>received now</span></li>
        <li><b class="figure out">${rateText(figures.nowOut)}</b><span>sent now</span></li>
        <li><b class="figure">${rateText(figures.peak)}</b><span>highest</span></li>
        <li><b class="figure">${bytesText(figures.totalIn)}</b><span>received in ${range
          .text}</span></li>
        <li><b class="figure">${bytesText(figures.totalOut)}</b><span>sent in ${range
          .text}</span></li>
      </ul>
      <${Chart} data=${chart} label=${`Throughput of the last ${range.text}: ${
        rateText(figures.nowIn)
      } received and ${rateText(figures.nowOut)} sent now, ${rateText(figures.peak)} at most`} />
      <ul class="legend">
        <li><i class="swatch in"></i>received</li>
        <li><i class="swatch out"></i>sent</li>
      </ul>
      <${Table} answer=${data} />
    </div>
  `;
}

function Table({ answer: { points, step_ms: step } }: { answer: ThroughputAnswer }): View {
  const size = Math.max(1, Math.ceil(points.length / TABLE_ROWS));
  const parts = Array.from(
    { length: Math.ceil(points.length / size) },
    (_, index) => points.slice(index * size, (index + 1) * size),
  );
  const mean = (part: ThroughputAnswer["points"], name: "in_bytes" | "out_bytes") =>
    rateText(part.reduce((sum, one) => sum + one[name], 0) / (part.length * step / 1_000));
  return html`
    <details>
      <summary>The same as a table</summary>
      <table class="plain-table">
        <thead>
          <tr>
            <th scope="col">From</th>
            <th scope="col">Received</th>
            <th scope="col">Sent</th>
          </tr>
        </thead>
        <tbody>${parts.reverse().map((part) =>
          html`
            <tr key=${part[0]?.time_ms}>
              <td>${clockText(part[0]?.time_ms ?? NaN)}</td>
              <td>${mean(part, "in_bytes")}</td>
              <td>${mean(part, "out_bytes")}</td>
            </tr>
          `
        )}</tbody>
      </table>
    </details>
  `;
}

function chartOf(answer: ThroughputAnswer | undefined): ChartData {
  const { points = [], step_ms: step = 1_000 } = answer ?? {};
  const rate = (bytes: number) => bytes / (step / 1_000);
  return [
    points.map(({ time_ms }) => time_ms / 1_000),
    points.map(({ in_bytes }) => rate(in_bytes)),
    points.map(({ out_bytes }) => rate(out_bytes)),
  ];
}

function figuresOf({ points, step_ms: step }: ThroughputAnswer) {
  const seconds = step / 1_000;
  const last = points.at(-1);
  const sum = (name: "in_bytes" | "out_bytes") =>
    points.reduce((total, point) => total + point[name], 0);
  const peak = points.reduce((most, one) => Math.max(most, one.in_bytes, one.out_bytes), 0);
  return {
    nowIn: (last?.in_bytes ?? 0) / seconds,
    nowOut: (last?.out_bytes ?? 0) / seconds,
    peak: peak / seconds,
    totalIn: sum("in_bytes"),
    totalOut: sum("out_bytes"),
  };
}
