/** The machine underneath: version, operating system, log files, locks, limits, geolocation. */
export { AdminToken, loadAdminToken } from "./admin_token.ts";
export { ASSET_FILES, assetSource, readAsset } from "./assets.ts";
export { runCommand } from "./command.ts";
export { CountryTable } from "./country.ts";
export { AlreadyRunningError, DataLock, isLocked, makeFolders, readPid } from "./data_lock.ts";
export { type ConnectionCaps, DEFAULT_CAPS, fitCaps, openFileLimit } from "./fd_budget.ts";
export { type Geolocation, GeolocationJson, OnlineGeolocation } from "./geolocation.ts";
export { type Instance, listInstances } from "./instances.ts";
export { ListenerWatchdog, type WatchedListener } from "./listener_watchdog.ts";
export { planText } from "./plan_text.ts";
export { planInstall, planUninstall, ServiceManager, servicePlatform } from "./service_manager.ts";
export { DailyLogFile } from "./log_file.ts";
export { type LogEntry, LogHub } from "./log_hub.ts";
export { configureLogging, endLogging, terminal } from "./logging.ts";
export { SdNotifier } from "./sd_notify.ts";
export { StartMemory } from "./start_memory.ts";
export { type SystemInfo, systemInfo } from "./system_info.ts";
export { runtimeWarning, VERSION, type VersionInfo, versionInfo } from "./version.ts";
