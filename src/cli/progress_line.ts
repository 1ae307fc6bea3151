import process from "node:process";
import type { CommandContext } from "./command_context.ts";
import { bar, duration, oneLine } from "./terminal.ts";

/** Terminals below this width get a shorter bar, so that there is room for words. */
const NARROW = 80;

/** One line that is drawn over and over on a terminal; elsewhere nothing is drawn. */
export class ProgressLine {
  readonly #isShown: boolean;
  readonly #columns: number;
  readonly #write: (text: string) => void;
  readonly #started = performance.now();
  #hasDrawn = false;

  /** @param write Where it is drawn. @default {standard error} */
  constructor(
    { terminal, flags }: Pick<CommandContext, "terminal" | "flags">,
    write: (text: string) => void = (text) => void process.stderr.write(text),
  ) {
    this.#isShown = terminal.isErrorTerminal && flags.format === "human";
    this.#columns = terminal.columns;
    this.#write = write;
  }

  /**
   * @param progress 0 to 1; undefined where nobody knows.
   * @param secondsLeft Where it is known better than from the time that passed.
   */
  show(progress: number | undefined, message: string, secondsLeft?: number): void {
    if (!this.#isShown) return;
    const text = progress === undefined
      ? oneLine(message)
      : `${bar(progress, this.#columns < NARROW ? 10 : 24)} ${
        String(Math.floor(progress * 100)).padStart(3)
      } % ` +
        `${this.#left(progress, secondsLeft)}${oneLine(message)}`;
    this.#write(`\r\x1b[K${text.slice(0, this.#columns - 1)}`);
    this.#hasDrawn = true;
  }

  /** Clears the line. */
  end(): void {
    if (this.#hasDrawn) this.#write("\r\x1b[K");
  }

  #left(progress: number, known?: number): string {
    if (known !== undefined) return `${duration(known)} left  `;
    if (progress <= 0.01 || progress >= 1) return "";
    const seconds = (performance.now() - this.#started) / 1_000;
    return `${duration(seconds / progress - seconds)} left  `;
  }
}
