// Packages are written for Node.js, where a timer is an object with refresh() and unref(); in a
// bundle they would get the runtime's own timers, which are numbers.
export {
  clearImmediate,
  clearInterval,
  clearTimeout,
  setImmediate,
  setInterval,
  setTimeout,
} from "node:timers";
export { Buffer } from "node:buffer";
export { default as process } from "node:process";
