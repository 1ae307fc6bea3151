// @ts-check
/**
 * Plugins that do what plugins must not, each in its own way, and one that behaves; a copy of this
 * file is the one that it is named for.
 * @typedef {import("../../../src/plugins/plugin.ts").Register} Register
 */
import { writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { basename } from "node:path";

/** @type {Register} */
export const register = (registrar) => {
  /** @type {typeof registrar.registerPlugin} */
  const registerPlugin = (name, factory) => {
    if (name === basename(import.meta.url, ".js")) registrar.registerPlugin(name, factory);
  };
  registerPlugin("a-good", () => {
    let file = "";
    return {
      name: "a-good",
      init: (daemon) => void (file = String(daemon.config().ended)),
      shutdown: () => writeFile(file, "ended in order"), // last of all, after those that hang
    };
  });
  registerPlugin("bad-hanger", () => ({
    name: "bad-hanger",
    init: () => undefined,
    shutdown: () => new Promise(() => {}),
  }));
  registerPlugin("bad-leaker", () => ({
    name: "bad-leaker",
    init(daemon) {
      setInterval(() => undefined, 10);
      daemon.bus().subscribe("*");
      daemon.ports().bind(2_300);
    },
    shutdown: () => undefined,
  }));
  registerPlugin("bad-shouter", () => ({
    name: "bad-shouter",
    init(daemon) {
      setInterval(() => {
        for (let n = 0; n < 200; n++) daemon.publishEvent("bad.loop", { n, text: "x".repeat(100) });
        daemon.publishEvent("No Topic At All", {});
        daemon.publishEvent("bad.function", { f: () => undefined });
      }, 20);
    },
    shutdown: () => undefined,
  }));
  registerPlugin("bad-thrower", () => ({
    name: "bad-thrower",
    init(daemon) {
      setTimeout(() => {
        throw new TypeError("thrown in a timer");
      }, 10);
      setTimeout(() => void Promise.reject(new TypeError("rejected by nobody")), 20);
      connect({ host: "127.0.0.1", port: Number(daemon.config().port) }, () => {
        throw new TypeError("thrown in a socket's callback");
      });
      daemon.background("slip", () => Promise.reject(new TypeError("thrown in the background")));
    },
    shutdown: () => {
      throw new TypeError("thrown at the end");
    },
  }));
};
