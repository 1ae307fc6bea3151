import uPlot from "uplot";
import { useEffect, useRef } from "preact/hooks";
import { html, type View } from "../html.ts";
import { rateText } from "../text/figures.ts";

/** Times in seconds, bytes a second in, bytes a second out: a row each. */
export type ChartData = [times: number[], received: number[], sent: number[]];

/** Height of the chart; the place is kept before it is drawn. */
const HEIGHT = 320;

/** Two lines over time. Whoever shows it says the same in words beside it. */
export function Chart({ data, label }: { data: ChartData; label: string }): View {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | undefined>(undefined);
  const latest = useRef(data);
  latest.current = data;
  useEffect(() => {
    const element = box.current;
    if (!element) return;
    const draw = () => {
      plot.current?.destroy();
      plot.current = new uPlot(options(element), latest.current, element);
    };
    draw();
    const resize = () => plot.current?.setSize({ width: element.clientWidth, height: HEIGHT });
    const observer = new ResizeObserver(resize);
    observer.observe(element);
    const scheme = matchMedia("(prefers-color-scheme: dark)");
    scheme.addEventListener("change", draw);
    return () => {
      scheme.removeEventListener("change", draw);
      observer.disconnect();
      plot.current?.destroy();
    };
  }, []);
  useEffect(() => plot.current?.setData(data), [data]);
  return html`<div class="chart" role="img" aria-label=${label} ref=${box}></div>`;
}

function options(element: HTMLElement): uPlot.Options {
  const style = getComputedStyle(element);
  const colour = (name: string) => style.getPropertyValue(`--chart-${name}`).trim();
  const size = parseFloat(style.fontSize) * 0.85;
  const axis = {
    stroke: colour("text"),
    font: `${size}px ${style.fontFamily}`,
    grid: { stroke: colour("grid"), width: 1 },
    ticks: { stroke: colour("grid"), width: 1 },
  };
  const line = (name: string, text: string) => ({
    label: text,
    stroke: colour(name),
    fill: colour(`${name}-fill`),
    width: 2,
    points: { show: false },
    value: (_plot: uPlot, value: number | null) => value === null ? "–" : rateText(value),
  });
  return {
    width: element.clientWidth,
    height: HEIGHT,
    cursor: { y: false },
    legend: { show: false },
    scales: { y: { range: (_plot, _low, high) => [0, Math.max(1_000, (high || 0) * 1.15)] } },
    axes: [axis, { ...axis, size: size * 7, values: (_plot, ticks) => ticks.map(rateText) }],
    series: [{}, line("in", "Received"), line("out", "Sent")],
  };
}
