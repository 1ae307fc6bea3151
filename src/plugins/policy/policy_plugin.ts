import type { Register } from "../plugin.ts";
export const register: Register = () => undefined;
