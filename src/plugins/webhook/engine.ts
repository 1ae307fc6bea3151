/** What delivers events, loaded with the first URL. */
export { Delivery } from "./delivery.ts";
export { checkUrl, systemResolve } from "./target.ts";
