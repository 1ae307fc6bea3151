// @ts-check
/**
 * Lets trusted peers reach an HTTP service of this machine: on one side the service is exposed on a
 * port of the daemon, on the other side a local address leads to it.
 * @typedef {import("../../src/plugins/plugin.ts").Register} Register
 * @typedef {import("../../src/plugins/plugin.ts").Daemon} Daemon
 * @typedef {import("../../src/plugins/plugin.ts").Connection} Connection
 */
import { connect, createServer } from "node:net";

/** @type {Register} */
export const register = ({ registerPlugin }) =>
  registerPlugin("expose-http", () => {
    /** @type {(() => void)[]} */
    const ends = [];
    return {
      name: "expose-http",
      init(daemon) {
        const { expose, reach } = daemon.config();
        if (isSettings(expose)) ends.push(exposeService(daemon, expose));
        if (isSettings(reach)) ends.push(reachService(daemon, reach));
      },
      shutdown: () => ends.forEach((end) => end()),
    };
  });

/**
 * Takes connections of trusted peers on a port and leads them to a local address.
 * @param {Daemon} daemon
 * @param {Record<string, unknown>} settings
 */
function exposeService(daemon, { port, to }) {
  const listener = daemon.ports().bind(Number(port));
  daemon.background("accept peers", async () => {
    for (let next = await listener.accept(); next; next = await listener.accept()) {
      const connection = next;
      const { remotePeer } = connection.info();
      if (!daemon.handshakeService()?.isTrusted(remotePeer)) daemon.closeConnection(connection);
      else daemon.background("serve a peer", () => join(daemon, connection, connect(address(to))));
    }
  });
  return () => listener.close();
}

/**
 * Takes local connections and leads them to a port of a peer.
 * @param {Daemon} daemon
 * @param {Record<string, unknown>} settings
 */
function reachService(daemon, { peer, port, listen }) {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on("error", () => socket.destroy());
    daemon.background("reach a peer", async () => {
      try {
        await join(daemon, await daemon.dialConnection(String(peer), Number(port)), socket);
      } catch {
        socket.destroy(); // the peer is away, or does not let us
      }
    });
  });
  server.on("error", (error) =>
    daemon.background("listen", () => {
      throw error;
    }));
  server.listen(address(listen));
  return () => void server.close();
}

/**
 * Copies both ways until both sides have ended.
 * @param {Daemon} daemon
 * @param {Connection} connection
 * @param {import("node:net").Socket} socket
 */
async function join(daemon, connection, socket) {
  const peer = daemon.newConnReadWriter(connection);
  socket.on("error", () => peer.close());
  const outwards = async () => {
    for await (const chunk of socket) await peer.write(chunk);
    await peer.closeWrite();
  };
  const inwards = async () => {
    for (let chunk = await peer.read(); chunk; chunk = await peer.read()) {
      if (!socket.write(chunk)) await new Promise((resolve) => socket.once("drain", resolve));
    }
    socket.end();
  };
  try {
    await Promise.all([outwards(), inwards()]);
  } catch {
    socket.destroy(); // one side broke, so the other one ends too
  } finally {
    peer.close();
  }
}

/** @param {unknown} text `host:port` */
function address(text) {
  const [host = "127.0.0.1", port] = String(text).split(":");
  return { host, port: Number(port) };
}

/** @param {unknown} value @returns {value is Record<string, unknown>} */
function isSettings(value) {
  return typeof value === "object" && value !== null;
}
