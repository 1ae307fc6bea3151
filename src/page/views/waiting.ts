import { useEffect } from "preact/hooks";
import { useApp } from "../state/app.ts";
import { useResource } from "../state/resource.ts";
import { useStore } from "../state/store.ts";

/** Requests for trust that wait for an answer here, without those put aside. */
export function useWaiting(): number {
  const app = useApp();
  const { data } = useResource(app.resources.pending);
  const aside = useStore(app.aside.store);
  const now = Date.now();
  const count = (data?.requests ?? [])
    .filter(({ peer_id, received_at }) => !app.aside.has(aside, peer_id, received_at, now)).length;
  useEffect(() => app.waiting.set(count), [count]);
  return count;
}
