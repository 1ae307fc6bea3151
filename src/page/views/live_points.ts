import { useEffect, useState } from "preact/hooks";
import { useApp } from "../state/app.ts";
import { useStore } from "../state/store.ts";
import type { ThroughputAnswer } from "../wire/shapes.ts";

type Points = ThroughputAnswer["points"];

/** Points of five minutes, one a second. */
const MAX_POINTS = 300;

/** What went through since the view was opened, a point a second, as it comes. */
export function useLivePoints(isWanted: boolean): Points {
  const app = useApp();
  const [points, setPoints] = useState<Points>([]);
  const { state } = useStore(app.live.connection);
  const isOpen = isWanted && state === "live";
  useEffect(() => {
    const own = new AbortController();
    const follow = async () => {
      const init = { signal: own.signal };
      for await (const { peers: _, step_ms: __, ...point } of app.calls.stream(LIVE, {}, init)) {
        setPoints((before) => [...before, point].slice(-MAX_POINTS));
      }
    };
    // Where it ends, the next answer of the daemon goes on from there.
    if (isOpen) follow().catch(() => undefined);
    return () => own.abort();
  }, [app, isOpen]);
  return points;
}

const LIVE = "network.throughput_live";

/** The answer of the daemon with the points that came since, without gap or double. */
export function joined(
  answer: ThroughputAnswer | undefined,
  live: Points,
): ThroughputAnswer | undefined {
  if (!answer || live.length === 0) return answer;
  const last = answer.points.at(-1)?.time_ms ?? -Infinity;
  const fresh = live.filter(({ time_ms }) => time_ms > last);
  return { ...answer, points: [...answer.points, ...fresh].slice(-MAX_POINTS) };
}
