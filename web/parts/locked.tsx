/** The daemon wants its token again before it tells anything. */
import type { JSX } from "preact";

import { connection, retryNow } from "../state/connection.ts";
import { Icon } from "./icon.tsx";

export function Locked(): JSX.Element {
  const { value } = connection;
  return (
    <section class="locked panel" aria-label="Locked">
      <Icon name="lock" />
      <h1>This Headroom asks for its token</h1>
      <p>Sign in again: a session ends after 30 days, or when the token of the server was changed.</p>
      <p class="locked-ways">
        <a class="button primary" href="login">
          Sign in
        </a>
        <button type="button" class="button" onClick={retryNow}>
          Try again
        </button>
      </p>
      {value.kind === "locked" && <p class="quiet">{value.message}</p>}
    </section>
  );
}
