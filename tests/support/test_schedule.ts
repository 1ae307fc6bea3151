/**
 * Which files of tests go on beside which. Most of them wait most of the time: for a timer of a
 * protocol, for a watchdog, for a peer that is gone. Such files run several at once beside one that
 * works, and what is about moments has the machine for itself.
 */

/** What two cores bear at once: two files that work and one that waits. */
export const CAPACITY = 5;

/** What a file asks of the machine while it runs, of {@link CAPACITY}. */
const LOADS = { waits: 1, works: 2, isTimed: CAPACITY - 1, isAlone: CAPACITY } as const;

/** A fifth to two fifths of one core, most of them for half a minute and more. */
const WAITING_FILES =
  /^(windows_wine|lan|mdns_change|plugins_hostile|p2pd_nat|systemd|hostile_doors|library_command)_test/;
/** They assert what happens within seconds: at most one that waits goes on beside them. */
const TIMED_FILES = /^(control_socket|daemon|daemon_faults|daemon_peers|p2pd_flood)_test/;
/** Their assertions are about moments: nothing else goes on meanwhile. */
const LONE_FILES = /^(hostile_(admission|limits|stop)|longevity|dev_task)_test/;
/** Longer than the rest; they begin before it, so that none of them goes on alone at the end. */
const LONG_FILES = /^(library_command|cli|page_views|page_door|library_network)_test/;

/** How much of {@link CAPACITY} a file takes. */
export function loadOf(file: string): number {
  if (LONE_FILES.test(file)) return LOADS.isAlone;
  if (TIMED_FILES.test(file)) return LOADS.isTimed;
  return WAITING_FILES.test(file) ? LOADS.waits : LOADS.works;
}

/** What begins first: the longest one, what leaves little room beside it, and what is long. */
const FIRST_FILES = [/^windows_wine_test/, TIMED_FILES, LONG_FILES];

/**
 * The order in which files begin. Those that wait find room beside those that work, and come late,
 * so that they do not fill the room among themselves; those that must be alone come last.
 */
export function inOrder(files: readonly string[]): string[] {
  const rank = (file: string) => {
    const at = FIRST_FILES.findIndex((pattern) => pattern.test(file));
    if (at >= 0) return at;
    const later = { [LOADS.works]: 0, [LOADS.waits]: 1, [LOADS.isAlone]: 2 }[loadOf(file)] ?? 0;
    return FIRST_FILES.length + later;
  };
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
