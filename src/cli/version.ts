/** The version of this program; a test holds it to package.json. */
export const HEADROOM_VERSION = "0.1.0";
