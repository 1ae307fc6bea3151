import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import type { Socket } from "node:net";
import { releaseWhenClosed } from "../../../src/core/mod.ts";
import { waitFor } from "../../support/wait.ts";

Deno.test({
  name: "releaseWhenClosed() cuts the link from handle to socket, once the socket is closed",
  ignore: !Deno.version.deno.startsWith("2.7."), // later ones let go of their handles
  fn: async () => {
    const owner = Symbol("ownerSymbol");
    const handle: Record<symbol, unknown> = {};
    const socket = Object.assign(new EventEmitter(), { _handle: handle });
    handle[owner] = socket;
    releaseWhenClosed(socket as unknown as Socket);
    assert.equal(handle[owner], socket);
    socket.emit("close");
    await waitFor("link to be cut", () => handle[owner] === undefined);
  },
});

Deno.test("releaseWhenClosed() passes over a socket without a handle", () => {
  const socket = new EventEmitter();
  releaseWhenClosed(socket as unknown as Socket);
  socket.emit("close");
});
