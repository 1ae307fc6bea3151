import assert from "node:assert/strict";
import { LateMetrics } from "../../../src/network/late_metrics.ts";

type Factory = LateMetrics["factory"];
type Components = Parameters<Factory>[0];

/** The library, as far as it is told something. */
function library() {
  const told: unknown[][] = [];
  const metric = new Proxy({}, {
    get: (_, verb) => (...values: unknown[]) => {
      told.push([String(verb), ...values]);
      return () => told.push(["stopped"]);
    },
  });
  const tell = (verb: string | symbol) => (...values: unknown[]) => {
    told.push([String(verb), ...values]);
    return metric;
  };
  const factory = (() => new Proxy({}, { get: (_, verb) => tell(verb) })) as unknown as Factory;
  return { told, factory };
}

const components = {} as Components;

Deno.test("LateMetrics tells the library what was registered and counted before it came, in order", () => {
  const late = new LateMetrics();
  const { told, factory } = library();
  const metrics = late.factory(components);
  const dials = metrics.registerCounterGroup("dials", { label: "transport" });
  const size = metrics.registerMetric("size");
  dials.increment({ tcp: true });
  size.update(7);
  assert.deepEqual(told, []);
  late.loaded(factory);
  const before = [
    ["registerCounterGroup", "dials", { label: "transport" }],
    ["registerMetric", "size", {}],
    ["increment", { tcp: true }],
    ["update", 7],
  ];
  assert.deepEqual(told, before);
  dials.increment({ tcp: true });
  assert.deepEqual(told.slice(before.length), [["increment", { tcp: true }]]);
});

Deno.test("LateMetrics hands on connections and streams, and what is read when somebody looks", () => {
  const late = new LateMetrics();
  const { told, factory } = library();
  const metrics = late.factory(components);
  const calculate = () => 1;
  assert.equal(metrics.registerMetric("topologies", { calculate }), undefined);
  const connection = {} as Parameters<typeof metrics.trackMultiaddrConnection>[0];
  metrics.trackMultiaddrConnection(connection);
  late.loaded(factory);
  assert.deepEqual(told, [
    ["registerMetric", "topologies", { calculate }],
    ["trackMultiaddrConnection", connection],
  ]);
});

Deno.test("LateMetrics times what begins once the library is there", () => {
  const late = new LateMetrics();
  const { told, factory } = library();
  const query = late.factory(components).registerHistogram("query");
  query.timer()();
  late.loaded(factory);
  query.timer()();
  assert.deepEqual(told.slice(1), [["timer", undefined], ["stopped"]]);
});

Deno.test("LateMetrics.loaded() without a node does nothing", () => {
  const { told, factory } = library();
  new LateMetrics().loaded(factory);
  assert.deepEqual(told, []);
});
