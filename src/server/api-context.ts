/** What the parts of the API share about one request. */
import type { Context } from "hono";

import type { Peer } from "./api-deps.ts";

export interface Environment {
  Bindings: { peer: Peer };
  /** For the log. */
  Variables: { bytes?: number; error?: string; isLogged?: true };
}

export type ApiContext = Context<Environment>;
