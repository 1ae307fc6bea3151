import { useEffect } from "preact/hooks";
import { useApp } from "../state/app.ts";
import { useResource } from "../state/resource.ts";
import type { TrustRequest } from "../wire/shapes.ts";

/** Whether a request wants an answer now. */
export function isNew({ state }: TrustRequest): boolean {
  return state === "new";
}

/** Requests for trust that wait for an answer here, without those put aside. */
export function useWaiting(): number {
  const app = useApp();
  const { data } = useResource(app.resources.pending);
  const count = data?.new_requests ?? 0;
  useEffect(() => app.waiting.set(count), [count]);
  return count;
}
