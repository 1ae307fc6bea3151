import { useMemo } from "preact/hooks";
import type { InputOf, NameOf, OutputOf } from "../../client/mod.ts";
import { useApp } from "../state/app.ts";
import { type Loaded, Resource, useResource } from "../state/resource.ts";

/** The answer to a question with an input of its own, kept fresh while the view is there. */
export function useAsked<N extends NameOf<"query">>(
  name: N,
  input: InputOf<"query", N>,
  intervalMs: number,
): Loaded<OutputOf<"query", N>> {
  const app = useApp();
  const key = JSON.stringify(input);
  const resource = useMemo(() =>
    new Resource<OutputOf<"query", N>>({
      load: (signal) => app.calls.query(name, input, signal),
      intervalMs,
      isAwake: () => app.isAwake(),
    }), [name, key]);
  return useResource(resource);
}
