// @ts-check
/**
 * Writes a line for every peer that connects, disconnects, or becomes trusted.
 * @typedef {import("../../src/plugins/plugin.ts").Register} Register
 */
import { appendFile } from "node:fs/promises";

const TOPICS = new Set(["peer.connected", "peer.disconnected", "trust.changed"]);

/** @type {Register} */
export const register = ({ registerPlugin }) =>
  registerPlugin("log-joins", () => {
    /** @type {import("../../src/plugins/plugin.ts").Subscription | undefined} */
    let events;
    return {
      name: "log-joins",
      init(daemon) {
        const { file = "joins.log" } = daemon.config();
        events = daemon.bus().subscribe("*");
        const present = daemon.peers().filter(({ isConnected }) => isConnected);
        daemon.background("write lines", async () => {
          for (const { peerId } of present) { // who came before this plugin began
            await appendFile(
              String(file),
              `${new Date().toISOString()} peer.connected ${peerId}\n`,
            );
          }
          for await (const { time, topic, payload } of events ?? []) {
            if (!TOPICS.has(topic)) continue;
            await appendFile(String(file), `${time} ${topic} ${payload.peerId}\n`);
          }
        });
      },
      shutdown: () => events?.cancel(),
    };
  });
