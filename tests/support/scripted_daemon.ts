/** A daemon's socket whose every answer is decided by the test. */
import { createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { tempFolder } from "./temp_folder.ts";

/** What happens with one line: the text that is answered, or something done to its socket. */
export type Script = (line: string, socket: Socket, connection: number) => string | undefined;

/** Listens on a socket in a folder of its own. */
export class ScriptedDaemon implements AsyncDisposable {
  /** Every line that came in. */
  readonly lines: string[] = [];
  readonly path: string;
  /** Connections so far. */
  connections = 0;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #cleanUp: () => Promise<void>;

  private constructor(path: string, script: Script, cleanUp: () => Promise<void>) {
    this.path = path;
    this.#cleanUp = cleanUp;
    this.#server = createServer((socket) => {
      const connection = ++this.connections;
      this.#sockets.add(socket);
      let rest = "";
      socket.on("error", () => undefined);
      socket.on("close", () => this.#sockets.delete(socket));
      socket.setEncoding("utf8").on("data", (text: string) => {
        const lines = `${rest}${text}`.split("\n");
        rest = lines.pop() ?? "";
        for (const line of lines) {
          this.lines.push(line);
          const answer = script(line, socket, connection);
          if (answer !== undefined) socket.write(`${answer}\n`);
        }
      });
    });
  }

  /** @param options.listens Whether it does at once. @default {true} */
  static async start(
    script: Script,
    options: { listens?: boolean } = {},
  ): Promise<ScriptedDaemon> {
    const folder = await tempFolder();
    const cleanUp = async () => await folder[Symbol.asyncDispose]();
    const daemon = new ScriptedDaemon(join(folder.path, "daemon.sock"), script, cleanUp);
    if (options.listens !== false) await daemon.listen();
    return daemon;
  }

  async listen(): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#server.once("error", reject);
    this.#server.listen(this.path, resolve);
    await promise;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = Promise.withResolvers<void>();
    this.#server.close(() => closed.resolve());
    for (const socket of this.#sockets) socket.destroy();
    await closed.promise;
    await this.#cleanUp();
  }
}
