import { useMemo } from "preact/hooks";
import { useApp } from "../state/app.ts";
import { type Loaded, Resource, useResource } from "../state/resource.ts";

/** The answer to a question with an input of its own, kept fresh while the view is there. */
export function useAsked<T>(name: string, input: object, intervalMs: number): Loaded<T> {
  const app = useApp();
  const key = JSON.stringify(input);
  const resource = useMemo(() =>
    new Resource<T>({
      load: (signal) => app.calls.ask<T>(name, input, signal),
      intervalMs,
      isAwake: () => app.isAwake(),
    }), [name, key]);
  return useResource(resource);
}
