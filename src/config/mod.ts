/** Configuration: flags, environment, config.toml and defaults become one checked value. */
export { type ConfigSources, type Origin, resolveConfig, type ResolvedConfig } from "./config.ts";
export { APPLICATION_ID, type DataDirs, dataDirs, type DataDirsInput } from "../core/mod.ts";
export { parseLogFilter } from "./log_filter.ts";
export { type Config, DEFAULT_GRPC_ADDR, DEFAULT_REST_ADDR } from "./schema.ts";
export { parseHostPort } from "./text_problem.ts";
