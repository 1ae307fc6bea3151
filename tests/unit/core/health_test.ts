import assert from "node:assert/strict";
import { Health } from "../../../src/core/mod.ts";

Deno.test("Health is ready once everything declared serves", () => {
  const health = new Health(["grpc", "rest"]);
  assert.equal(health.isReady(), false);
  assert.ok(health.list().every(({ problem, remedy }) => problem && remedy));
  health.serving("grpc");
  assert.equal(health.isReady(), false);
  health.serving("rest");
  assert.equal(health.isReady(), true);
});

Deno.test("Health.failing() says what is wrong and what to do, in the order declared", () => {
  const health = new Health(["grpc", "rest"]);
  health.serving("rest");
  health.failing("grpc", "deaf", "restart");
  assert.deepEqual(health.list(), [
    { component: "grpc", serving: false, problem: "deaf", remedy: "restart" },
    { component: "rest", serving: true, problem: "", remedy: "" },
  ]);
});

Deno.test("Health.onChange() tells every change until it is released", () => {
  const health = new Health(["grpc"]);
  let told = 0;
  const release = health.onChange(() => told++);
  health.serving("grpc");
  health.failing("grpc", "deaf", "restart");
  release();
  health.serving("grpc");
  assert.equal(told, 2);
});
