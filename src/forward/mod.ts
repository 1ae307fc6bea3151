/** Local TCP ports joined with services of peers: each connection is one stream between daemons. */
export { Forwards } from "./forwards.ts";
