/** Configuration: flags, environment, config.toml and defaults become one checked value. */
export {
  type Config,
  ConfigSchema,
  type ConfigSources,
  DEFAULT_GRPC_ADDR,
  DEFAULT_REST_ADDR,
  type Origin,
  parseHostPort,
  resolveConfig,
  type ResolvedConfig,
} from "./config.ts";
export { APPLICATION_ID, type DataDirs, dataDirs, type DataDirsInput } from "../core/mod.ts";
export { parseLogFilter } from "./log_filter.ts";
