/** The machine underneath: version, operating system, log files, locks, limits, geolocation. */
export { ASSET_FILES, readAsset } from "./assets.ts";
export { runCommand } from "./command.ts";
export { CountryTable } from "./country.ts";
export { AlreadyRunningError, DataLock, makeFolders, readPid } from "./data_lock.ts";
export { type ConnectionCaps, DEFAULT_CAPS, fitCaps, openFileLimit } from "./fd_budget.ts";
export { type Geolocation, GeolocationJson, OnlineGeolocation } from "./geolocation.ts";
export { ListenerWatchdog, type WatchedListener } from "./listener_watchdog.ts";
export { planText } from "./plan_text.ts";
export { planInstall, planUninstall, ServiceManager, servicePlatform } from "./service_manager.ts";
export { DailyLogFile } from "./log_file.ts";
export { configureLogging, endLogging, terminal } from "./logging.ts";
export { SdNotifier } from "./sd_notify.ts";
export { StartMemory } from "./start_memory.ts";
export { type SystemInfo, systemInfo } from "./system_info.ts";
export { runtimeWarning, VERSION, type VersionInfo, versionInfo } from "./version.ts";
