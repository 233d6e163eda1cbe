/**
 * Who may ask: the Host header, the origin of a page, the token. Pure but for the digests.
 *
 * A browser is a deputy that anybody's page can send. What a page may do here is decided by where it came
 * from: Host is checked because a name can be pointed at this address (DNS rebinding), Origin and
 * Sec-Fetch-Site because any page can send requests, and what is asked for is never left to a cookie alone.
 */
import { createHash, createHmac, timingSafeEqual } from "node:crypto";

import type { ApiOptions, Peer } from "./api-deps.ts";
import { ApiProblem } from "./problem.ts";

export const SESSION_COOKIE = "headroom-session";
/** A browser keeps its session for so long. */
const SESSION_SECONDS = 30 * 86_400;
/** A request that changes something has this header: no form and no simple request of a page can. */
export const CHANGE_HEADER = "x-headroom";

/** The Host header without its port, in lower case; an IPv6 address without its brackets. */
export function hostOf(header: string): { host: string; port?: number } | undefined {
  const match = /^(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::(\d{1,5}))?$/i.exec(header.trim());
  if (match === null) return undefined;
  const [, name = "", port] = match;
  const host = name
    .toLowerCase()
    .replaceAll(/^\[|\]$/g, "")
    .replace(/\.$/, "");
  return { host, ...(port === undefined ? {} : { port: Number(port) }) };
}

export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127\.\d+\.\d+\.\d+$/.test(host);
}

function isLiteral(host: string): boolean {
  return host.includes(":") || /^\d+\.\d+\.\d+\.\d+$/.test(host);
}

/** Every address of this machine. */
function isEveryAddress(address: string): boolean {
  return address === "0.0.0.0" || address === "::" || address === "";
}

/**
 * Whether a Host header is one this server is reached by. A literal address cannot be rebound, so where it
 * listens on all addresses, or on those of a name, any literal is right; names must be known.
 */
export function isAllowedHost(header: string, { listen, allowedHosts = [] }: ApiOptions): boolean {
  const asked = hostOf(header);
  if (asked === undefined) return false;
  const { host, port } = asked;
  const named = allowedHosts.flatMap((text) => hostOf(text) ?? []);
  if (named.some((name) => name.host === host && (name.port === undefined || name.port === port)))
    return true;
  if (isEveryAddress(listen.address)) return isLiteral(host) || isLoopback(host);
  if (isLoopback(listen.address)) return isLoopback(host);
  return host === listen.address.toLowerCase() || (!isLiteral(listen.address) && isLiteral(host));
}

/** Refuses a request that came by a name that is not ours. */
export function checkHost(request: Request, options: ApiOptions): void {
  const header = request.headers.get("host") ?? new URL(request.url).host;
  if (isAllowedHost(header, options)) return;
  throw new ApiProblem(
    "host-refused",
    "Cannot answer: the Host header names a host that this server is not",
    {
      help: "Use the address it listens on, or add the name to allowed_hosts",
    },
  );
}

/** The origin a page was loaded from, where it is another than this server's. */
export function foreignOrigin(request: Request): string | undefined {
  const origin = request.headers.get("origin");
  if (origin === null) return undefined;
  const host = request.headers.get("host") ?? new URL(request.url).host;
  return origin === `http://${host}` || origin === `https://${host}` ? undefined : origin;
}

/** Refuses what a page from elsewhere asks for; the origins that are allowed may read. */
export function checkOrigin(request: Request, { allowedOrigins = [] }: ApiOptions): void {
  const origin = foreignOrigin(request);
  const isRead = request.method === "GET" || request.method === "HEAD" || request.method === "OPTIONS";
  const isAllowed = origin !== undefined && isRead && allowedOrigins.includes(origin);
  if (isAllowed) return;
  // Without Origin (an image, a script, a link) the browser still says where the request comes from.
  const site = request.headers.get("sec-fetch-site");
  const isNavigation = request.headers.get("sec-fetch-mode") === "navigate";
  if (origin === undefined && (site !== "cross-site" || (isNavigation && isRead))) return;
  throw new ApiProblem("origin-refused", "Cannot answer: a page from elsewhere asks for this", {
    help: "Pages of other origins may read only when cors_origins names them",
  });
}

/** Compares without telling by time how much is right. */
export function isSame(found: string, wanted: string): boolean {
  const digest = (text: string): Uint8Array => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(found), digest(wanted));
}

/** The cookie of a browser that knew the token: it follows from the token, and does not tell it. */
export function sessionOf(token: string): string {
  return createHmac("sha256", token).update("headroom session 1").digest("base64url");
}

/** Whether who asks may: no token is asked for, or it, its cookie or a certificate is given. */
export function isAuthorized(request: Request, options: ApiOptions, peer: Peer): boolean {
  if (options.clientCertificates === true && peer.certified === true) return true;
  const { token } = options;
  if (token === undefined) return options.clientCertificates !== true;
  const bearer = bearerOf(request);
  if (bearer !== undefined) return isSame(bearer, token);
  const cookie = cookieOf(request.headers.get("cookie") ?? "", SESSION_COOKIE);
  return cookie !== undefined && isSame(cookie, sessionOf(token));
}

/** The token of an Authorization header. */
export function bearerOf(request: Request): string | undefined {
  const header = request.headers.get("authorization");
  return header === null ? undefined : (/^Bearer +(\S+)\s*$/i.exec(header)?.[1] ?? "");
}

function cookieOf(header: string, name: string): string | undefined {
  for (const part of header.split(";")) {
    const at = part.indexOf("=");
    if (at !== -1 && part.slice(0, at).trim() === name) return part.slice(at + 1).trim();
  }
  return undefined;
}

/** Sent once to a browser that knows the token. */
export function sessionCookie(token: string, { secure }: ApiOptions): string {
  const flags = `Path=/; Max-Age=${SESSION_SECONDS}; HttpOnly; SameSite=Strict`;
  return `${SESSION_COOKIE}=${sessionOf(token)}; ${flags}${secure === true ? "; Secure" : ""}`;
}

/** Nothing but what this server sends, no frame around it, no guessing of types. */
export const SAFETY_HEADERS: Readonly<Record<string, string>> = {
  "content-security-policy":
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; " +
    "connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  // Not `no-referrer`: a browser then sends `Origin: null` with the form of the login page.
  "referrer-policy": "same-origin",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "permissions-policy": "camera=(), geolocation=(), microphone=()",
};
