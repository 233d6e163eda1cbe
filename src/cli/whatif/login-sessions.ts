/**
 * The flows of login sessions, found in the table: of the session somebody works in, and of the others of
 * this host. What carries a session is told as `headroom reclaim` tells it, which never frees such flows.
 */
import { parseSshConnection, SessionFlows } from "../../reclaim/reclaim.ts";
import type { FlowColumns } from "../../table/columns.ts";
import { type IdleContext, IdleLookup } from "../../table/idle.ts";
import type { Session, Sessions } from "../../table/session.ts";

/** How long flows of sessions have been silent; of unknown idle age: undefined. */
export interface SilentSessions {
  own: (number | undefined)[];
  others: (number | undefined)[];
}

/** Looks for flows of sessions in every batch it is shown. */
export class LoginSessions {
  readonly #own: SessionFlows;
  readonly #others: SessionFlows;
  readonly found: SilentSessions = { own: [], others: [] };

  /** Undefined where there are none. `sshConnection` is what sshd(8) sets for the session's programs. */
  static of(
    sshConnection: string | undefined,
    { sessions, connections }: Sessions,
  ): LoginSessions | undefined {
    const texts = sshConnection === undefined ? connections : [sshConnection, ...connections];
    const own = texts.flatMap((text) => parseSshConnection(text) ?? []);
    return own.length + sessions.length === 0 ? undefined : new LoginSessions(own, sessions);
  }

  constructor(own: readonly Session[], others: readonly Session[]) {
    this.#own = new SessionFlows(own);
    this.#others = new SessionFlows(others);
  }

  look(columns: FlowColumns, context: IdleContext): void {
    for (let row = 0; row < columns.count; row++) {
      const isOwn = this.#own.has(columns, row);
      if (!isOwn && !this.#others.has(columns, row)) continue;
      const idleSeconds = new IdleLookup(context).secondsAt(columns, row);
      const found = isOwn ? this.found.own : this.found.others;
      found.push(idleSeconds < 0 ? undefined : idleSeconds);
    }
  }
}
