/** Where the history is when nobody says so: of the host, and of a user who watches it. */
export const HOST_DIRECTORY = "/var/lib/headroom/history";
/** Below a user's home directory, unless XDG_STATE_HOME names another place. */
export const OWN_DIRECTORY = ".local/state/headroom";
/** For help texts. */
export const USUAL_DIRECTORIES = `${HOST_DIRECTORY} as root, else ~/${OWN_DIRECTORY}`;
