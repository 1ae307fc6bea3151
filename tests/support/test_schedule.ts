/**
 * Which files of tests go on beside which. Most of them wait most of the time: for a timer of a
 * protocol, for a watchdog, for a peer that is gone. Such files run several at once beside one that
 * works, and what is about moments has the machine for itself.
 */

/** What two cores bear at once. */
export const CAPACITY = 4;

/** What a file asks of the machine while it runs, of {@link CAPACITY}. */
const LOADS = { waits: 1, works: 2, isAlone: CAPACITY } as const;

/** Over half a minute, most of it spent waiting: less than a third of one core. */
const WAITING_FILES = /^(windows_wine|lan|mdns_change)_test\.ts$/;
/** Their assertions are about what a daemon does within moments: nothing else goes on meanwhile. */
const TIMED_FILES = /^(control|daemon|hostile|longevity|dev_task)_/;
/** The longest come first, so that none of them goes on alone at the end. */
const LONG_FILES = /^(windows_wine|library_command|lan|cli|mdns_change|page_views|p2pd_nat)_test/;

/** How much of {@link CAPACITY} a file takes. */
export function loadOf(file: string): number {
  if (TIMED_FILES.test(file)) return LOADS.isAlone;
  return WAITING_FILES.test(file) ? LOADS.waits : LOADS.works;
}

/** The order in which files begin: the longest first, those that must be alone last. */
export function inOrder(files: readonly string[]): string[] {
  const rank = (file: string) => TIMED_FILES.test(file) ? 2 : LONG_FILES.test(file) ? 0 : 1;
  return [...files].sort().sort((a, b) => rank(a) - rank(b));
}

/**
 * Does something with every item, as many at once as {@link CAPACITY} bears, in their order but for
 * those that do not fit yet. An item of the whole capacity goes on alone.
 */
export async function besideEachOther<T>(
  items: readonly T[],
  load: (item: T) => number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const waiting = [...items];
  const going = new Set<Promise<void>>();
  let taken = 0;
  const begin = (item: T) => {
    const asked = Math.min(load(item), CAPACITY);
    taken += asked;
    const one = work(item).finally(() => {
      taken -= asked;
      going.delete(one);
    });
    going.add(one);
  };
  while (waiting.length > 0 || going.size > 0) {
    const at = waiting.findIndex((item) => taken + Math.min(load(item), CAPACITY) <= CAPACITY);
    if (at < 0) await Promise.race(going);
    else for (const item of waiting.splice(at, 1)) begin(item);
  }
}
