/**
 * One POST of JSON, within a time, without following redirects: whoever controls the address could otherwise
 * send it anywhere.
 */
import { readFileSync } from "node:fs";
import { type IncomingMessage, request as requestHttp } from "node:http";
import { request as requestHttps, type RequestOptions } from "node:https";
import { isIP } from "node:net";

import { plainLine } from "../../../watch/watch.ts";
import { whyUnreadable } from "../../serve/file-reasons.ts";
import { ReceiverError } from "./receiver.ts";

export interface Post {
  url: string;
  body: string;
  headers: Readonly<Record<string, string>>;
  timeoutSeconds: number;
  signal: AbortSignal;
  /** Paths of PEM files; empty: none. */
  tls: { ca: string; certificate: string; key: string };
}

/** Of the answer, so much is read: what it says of a mistake. */
const ANSWER_BYTES_MAX = 2048;

/** Sends it; throws ReceiverError unless the answer is 2xx. */
export async function postJson(post: Post): Promise<void> {
  const { status, text } = await exchange(post);
  if (status >= 200 && status < 300) return;
  const said = text === "" ? "" : `: ${plainLine(text, 200)}`;
  const found = `Cannot deliver to ${placeOf(post.url)}: it answered ${status}${said}`;
  if (status >= 300 && status < 400) {
    throw new ReceiverError("refused", found, "Redirects are not followed: write the address it points to");
  }
  if (status === 401 || status === 403) {
    throw new ReceiverError("refused", found, "Look at the headers, the secret or the certificate it wants");
  }
  const passing = status >= 500 || [408, 425, 429].includes(status);
  throw new ReceiverError(passing ? "failing" : "refused", found);
}

/** An address without what may be secret in it. */
export function placeOf(url: string): string {
  const { protocol, host, pathname } = new URL(url);
  // Chat programs put their secret into the path.
  const shown = pathname.length > 24 ? `${pathname.slice(0, 12)}...` : pathname;
  return `${protocol}//${host}${shown === "/" ? "" : shown}`;
}

function optionsOf({ url, headers, tls, body }: Post): RequestOptions {
  const { username, password, hostname } = new URL(url);
  return {
    method: "POST",
    headers: {
      "user-agent": "headroom",
      ...headers,
      "content-type": "application/json",
      "content-length": new TextEncoder().encode(body).length,
    },
    agent: false,
    ...(username === "" ? {} : { auth: `${decodeURIComponent(username)}:${decodeURIComponent(password)}` }),
    ...(tls.ca === "" ? {} : { ca: fileOf(tls.ca) }),
    ...(tls.certificate === "" ? {} : { cert: fileOf(tls.certificate) }),
    ...(tls.key === "" ? {} : { key: fileOf(tls.key) }),
    ...(isIP(hostname) === 0 ? { servername: hostname } : {}),
    minVersion: "TLSv1.2",
  };
}

/** Read for each delivery: certificates and secrets are renewed while this program runs. */
export function fileOf(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    const why = whyUnreadable(cause as NodeJS.ErrnoException);
    throw new ReceiverError("not-usable", `Cannot read ${path}: ${why}`, undefined, cause);
  }
}

interface Answer {
  status: number;
  text: string;
}

async function exchange(post: Post): Promise<Answer> {
  const { url, body, timeoutSeconds, signal } = post;
  const limit = AbortSignal.any([signal, AbortSignal.timeout(timeoutSeconds * 1000)]);
  const send = url.startsWith("https:") ? requestHttps : requestHttp;
  return new Promise<Answer>((resolve, reject) => {
    const fail = (cause: unknown): void => reject(errorOf(post, cause, limit));
    const take = (response: IncomingMessage): void => {
      const decoder = new TextDecoder();
      let text = "";
      const status = response.statusCode ?? 0;
      const done = (): void => resolve({ status, text });
      response.on("data", (chunk: Uint8Array) => {
        text += decoder.decode(chunk, { stream: true });
        if (text.length <= ANSWER_BYTES_MAX) return;
        done();
        response.destroy();
      });
      response.on("end", done);
      response.on("error", fail);
    };
    try {
      const asked = send(url, { ...optionsOf(post), signal: limit }, take);
      asked.on("error", fail);
      asked.end(body);
    } catch (cause) {
      // A file, a password or a header that cannot be used is found before anything is sent.
      reject(unusable(post, cause));
    }
  });
}

function unusable({ url }: Post, cause: unknown): ReceiverError {
  if (cause instanceof ReceiverError) return cause;
  const why = plainLine(cause instanceof Error ? cause.message : String(cause), 200);
  return new ReceiverError("not-usable", `Cannot deliver to ${placeOf(url)}: ${why}`, undefined, cause);
}

function errorOf({ url, timeoutSeconds, signal }: Post, cause: unknown, limit: AbortSignal): ReceiverError {
  const place = placeOf(url);
  if (signal.aborted) return new ReceiverError("stopped", `Stopped while delivering to ${place}`);
  if (limit.aborted) {
    return new ReceiverError("timed-out", `Cannot deliver to ${place}: no answer within ${timeoutSeconds} s`);
  }
  const { code = "unknown", message } = cause as NodeJS.ErrnoException;
  const why = plainLine(reasons[code] ?? (message === "" ? code : message), 200);
  return new ReceiverError("unreachable", `Cannot deliver to ${place}: ${why}`, help[code], cause);
}

const reasons: Readonly<Record<string, string>> = {
  ECONNREFUSED: "nobody listens there",
  ENOTFOUND: "its name is not known",
  EAI_AGAIN: "its name could not be looked up now",
  ECONNRESET: "it broke the connection",
  EHOSTUNREACH: "there is no way to that host",
  ENETUNREACH: "there is no way to that network",
  EPROTO: "what answers there does not speak TLS as it should",
  ERR_SSL_WRONG_VERSION_NUMBER: "what answers there does not speak TLS",
  ERR_SSL_PACKET_LENGTH_TOO_LONG: "what answers there does not speak TLS",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "nobody known vouches for its certificate",
  UNABLE_TO_GET_ISSUER_CERT: "nobody known vouches for its certificate",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "nobody known vouches for its certificate",
  SELF_SIGNED_CERT_IN_CHAIN: "nobody known vouches for its certificate",
  DEPTH_ZERO_SELF_SIGNED_CERT: "it signed its certificate itself",
  CERT_HAS_EXPIRED: "its certificate has expired",
  ERR_TLS_CERT_ALTNAME_INVALID: "its certificate is for another name",
};

const NAME_AUTHORITY = "Name the authority of its certificate with ca = FILE";
const LOOK_AT_SCHEME = "Write http:// if it is a plain port";
const help: Readonly<Record<string, string>> = {
  EPROTO: LOOK_AT_SCHEME,
  ERR_SSL_WRONG_VERSION_NUMBER: LOOK_AT_SCHEME,
  ERR_SSL_PACKET_LENGTH_TOO_LONG: LOOK_AT_SCHEME,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: NAME_AUTHORITY,
  UNABLE_TO_GET_ISSUER_CERT: NAME_AUTHORITY,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: NAME_AUTHORITY,
  SELF_SIGNED_CERT_IN_CHAIN: NAME_AUTHORITY,
  DEPTH_ZERO_SELF_SIGNED_CERT: NAME_AUTHORITY,
  ERR_TLS_CERT_ALTNAME_INVALID: "Write the name that its certificate has",
};
