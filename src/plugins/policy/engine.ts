/** What runs policies, loaded with the first one. */
export { compilePolicy } from "./document.ts";
export { Runner } from "./runner.ts";
