/** Where a page signs in and out. */
export const SESSION_PATH = "/api/v1/session";
