/** News of the shared library, contract 5.6: one topic each, the contract's name in the payload. */

/** Topics without their prefix `library.`, and the contract's names. */
export const LIBRARY_EVENTS = {
  "games-list-updated": "ListGames",
  "local-library-changed": "LocalLibraryChanged",
  "got-game-files": "GotGameFiles",
  "no-peers-have-game": "NoPeersHaveGame",
  "game-download-begin": "DownloadGameFilesBegin",
  "game-download-progress": "DownloadGameFilesProgress",
  "game-download-finished": "DownloadGameFilesFinished",
  "game-download-failed": "DownloadGameFilesFailed",
  "game-install-begin": "InstallGameBegin",
  "game-install-finished": "InstallGameFinished",
  "game-install-failed": "InstallGameFailed",
  "game-uninstall-begin": "UninstallGameBegin",
  "game-uninstall-finished": "UninstallGameFinished",
  "game-uninstall-failed": "UninstallGameFailed",
  "peer-discovered": "PeerDiscovered",
  "peer-connected": "PeerConnected",
  "peer-disconnected": "PeerDisconnected",
  "peer-count-updated": "PeerCountUpdated",
  "runtime-failed": "RuntimeFailed",
} as const;

/** One of the topics without their prefix. */
export type LibraryEventName = keyof typeof LIBRARY_EVENTS;

/** Tells of what happened. */
export type TellLibraryEvent = (
  name: LibraryEventName,
  fields?: Readonly<Record<string, unknown>>,
) => void;
