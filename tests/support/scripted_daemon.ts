/** A daemon's socket whose every answer is decided by the test. */
import { join } from "node:path";
import { listenLocal, type LocalServer, type LocalSocket } from "../../src/core/mod.ts";
import { tempFolder } from "./temp_folder.ts";

/** What happens with one line: the text that is answered, or something done to its socket. */
export type Script = (line: string, socket: LocalSocket, connection: number) => string | undefined;

/** Listens on a socket in a folder of its own. */
export class ScriptedDaemon implements AsyncDisposable {
  /** Every line that came in. */
  readonly lines: string[] = [];
  readonly path: string;
  /** Connections so far. */
  connections = 0;
  readonly #script: Script;
  #server: LocalServer | undefined;
  readonly #sockets = new Set<LocalSocket>();
  readonly #cleanUp: () => Promise<void>;

  private constructor(path: string, script: Script, cleanUp: () => Promise<void>) {
    this.path = path;
    this.#cleanUp = cleanUp;
    this.#script = script;
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
    this.#server = await listenLocal({ path: this.path }, (socket) => this.#accept(socket));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server?.close();
    for (const socket of this.#sockets) socket.destroy();
    await this.#cleanUp();
  }

  #accept(socket: LocalSocket): void {
    const connection = ++this.connections;
    this.#sockets.add(socket);
    let rest = "";
    socket.on("error", () => undefined);
    socket.on("end", () => socket.end());
    socket.on("close", () => this.#sockets.delete(socket));
    socket.setEncoding("utf8").on("data", (text: string) => {
      const lines = `${rest}${text}`.split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) {
        this.lines.push(line);
        const answer = this.#script(line, socket, connection);
        if (answer !== undefined) socket.write(`${answer}\n`);
      }
    });
  }
}
