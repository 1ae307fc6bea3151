import { Store } from "./store.ts";

/** The sections, in the order of the navigation. */
export const SECTIONS = [
  { id: "overview", title: "Overview" },
  { id: "network", title: "Network" },
  { id: "throughput", title: "Throughput" },
  { id: "library", title: "Library" },
  { id: "trust", title: "Trust" },
  { id: "rules", title: "Rules" },
  { id: "logs", title: "Logs" },
] as const;

/** One of {@link SECTIONS}. */
export type SectionId = (typeof SECTIONS)[number]["id"];

/** What is shown: a section, and something in it. */
export interface Route {
  readonly section: SectionId;
  /** Such as a peer id; empty for the section as a whole. */
  readonly detail: string;
}

/** The address of a route, for links. */
export function hrefOf(section: SectionId, detail = ""): string {
  return detail ? `#/${section}/${encodeURIComponent(detail)}` : `#/${section}`;
}

/** What an address means; anything unknown is the overview. */
export function routeOf(hash: string): Route {
  const [, id = "", detail = ""] = /^#\/(\w+)(?:\/(.*))?$/.exec(hash) ?? [];
  const section = SECTIONS.find((one) => one.id === id)?.id ?? "overview";
  try {
    return { section, detail: decodeURIComponent(detail) };
  } catch {
    return { section, detail: "" };
  }
}

/** The one-time code of an address, `#code=…`; undefined where there is none. */
export function codeOf(hash: string): string | undefined {
  return /^#code=([\w-]{1,256})$/.exec(hash)?.[1];
}

/** Follows the address bar. */
export function followRoute(page: Window): Store<Route> {
  const route = new Store<Route>(routeOf(page.location.hash));
  page.addEventListener("hashchange", () => route.set(routeOf(page.location.hash)));
  return route;
}
