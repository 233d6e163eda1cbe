/**
 * A session that somebody works in right now, by its socket on this host: what must never be cut off by
 * freeing flows.
 */
import type { Address } from "./address.ts";

export interface Session {
  protocol: number;
  /** Of the socket; absent when it takes packets to any address. */
  local?: Address;
  localPort: number;
  /** The other end; absent of a socket that is not connected (mosh). */
  remote?: { address: Address; port: number };
}

export interface Sessions {
  sessions: readonly Session[];
  /** Values of SSH_CONNECTION found in processes above this one: `CLIENT PORT SERVER PORT`. */
  connections: readonly string[];
}
