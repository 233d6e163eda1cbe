/** A webhook: one POST of JSON for each notice, signed where there is a secret. */
import { createHmac } from "node:crypto";

import type { ReceiverOptions } from "../alerts-options-schema.ts";
import { fileOf, placeOf, postJson } from "./http-post.ts";
import { noticeJson } from "./notice-json.ts";
import type { Receiver, ReceiverDeps } from "./receiver.ts";

export type WebhookOptions = Extract<ReceiverOptions, { kind: "webhook" }>;

export function webhook(options: WebhookOptions, { clock, dashboardUrl }: ReceiverDeps): Receiver {
  const { name, url, timeout, ca, certificate, key } = options;
  return {
    name,
    kind: "webhook",
    where: placeOf(url),
    async deliver(sending) {
      const body = JSON.stringify(noticeJson(sending, dashboardUrl));
      const seconds = Math.floor(clock.nowMs() / 1000);
      const secret = options.secret_file === "" ? undefined : fileOf(options.secret_file).trim();
      await postJson({
        url,
        body,
        headers: {
          ...options.headers,
          // A notice may come twice: by this the other side can tell.
          "headroom-notice": sending.notice.id,
          ...(secret === undefined ? {} : { "headroom-signature": signatureOf(secret, seconds, body) }),
        },
        timeoutSeconds: timeout,
        signal: sending.signal,
        tls: { ca, certificate, key },
      });
      return undefined;
    },
  };
}

/**
 * `t=SECONDS,v1=HEX`: HMAC-SHA256 with the secret over `SECONDS.BODY`. The time is signed as well, so that
 * what was overheard cannot be played again for long.
 */
export function signatureOf(secret: string, seconds: number, body: string): string {
  return `t=${seconds},v1=${createHmac("sha256", secret).update(`${seconds}.${body}`).digest("hex")}`;
}
