/** What the system tells of a running process. Linux only; elsewhere every figure is NaN. */

const PAGE_FIELDS = { resident: "VmRSS", peak: "VmHWM" } as const;

/** Resident memory in MiB, now or at its highest. */
export async function memoryMib(
  pid: number,
  which: keyof typeof PAGE_FIELDS = "resident",
): Promise<number> {
  if (Deno.build.os !== "linux") return NaN;
  const status = await Deno.readTextFile(`/proc/${pid}/status`);
  const kib = new RegExp(`^${PAGE_FIELDS[which]}:\\s+(\\d+) kB`, "m").exec(status)?.[1];
  return Number(kib) / 1024;
}

/** Processor time of a process and its living threads so far, in milliseconds; steadier than a clock under load. */
export async function cpuMs(pid: number): Promise<number> {
  if (Deno.build.os !== "linux") return NaN;
  let ns = 0;
  for await (const { name } of Deno.readDir(`/proc/${pid}/task`)) {
    // A thread may end while we look.
    const stat = await Deno.readTextFile(`/proc/${pid}/task/${name}/schedstat`).catch(() => "0");
    ns += Number(stat.split(" ")[0]);
  }
  return ns / 1e6;
}

/** The same with the threads that have ended, in whole ticks of 10 ms: for long work. */
export async function wholeCpuMs(pid: number): Promise<number> {
  if (Deno.build.os !== "linux") return NaN;
  const stat = await Deno.readTextFile(`/proc/${pid}/stat`);
  // Behind the name, which may hold anything: utime and stime are the 12th and 13th, proc_pid_stat(5).
  const [user, system] = stat.slice(stat.lastIndexOf(")") + 2).split(" ").slice(11, 13);
  return (Number(user) + Number(system)) * 10;
}

/** Samples a process's memory until stopped. */
export class MemorySampler {
  readonly samples: number[] = [];
  readonly #timer: ReturnType<typeof setInterval>;
  #running: Promise<void> = Promise.resolve();

  /** Begins at once; one sample every `intervalMs`. */
  constructor(pid: number, intervalMs = 100) {
    this.#timer = setInterval(() => {
      this.#running = memoryMib(pid).then((mib) => void this.samples.push(mib), () => undefined);
    }, intervalMs);
  }

  /** Ends the sampling. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#running;
  }
}

/** A pause for a process to come to rest; nothing tells when its heap has been collected. */
export function settle(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
