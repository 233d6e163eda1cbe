/**
 * The API on a port: node:http, or node:https where there is a certificate, with bounds on slow clients.
 */
import { type HttpBindings, getRequestListener } from "@hono/node-server";
import { createServer, type Server } from "node:http";
import { createServer as createSecureServer, type Server as SecureServer } from "node:https";
import { createSecureContext, type SecureContextOptions } from "node:tls";

import { assert } from "../base/assert.ts";
import type { Api } from "./api.ts";
import type { Peer } from "./api-deps.ts";
import { ListenError } from "./listen-error.ts";
import { ApiProblem } from "./problem.ts";

/** A certificate of this server, and the authority whose clients are let in. All in PEM. */
export interface Tls {
  key: string;
  certificate: string;
  /** Its clients, and nobody else. */
  clientCa?: string;
}

export interface ListenOptions {
  tls?: Tls;
  /** For tests; what is usual is written where it is used. */
  headersTimeoutMs?: number;
  requestTimeoutMs?: number;
}

/** A server that listens. */
export interface Listening {
  /** As in a browser. */
  url: string;
  address: string;
  port: number;
  /** From the next request on another API answers. Whom an earlier token let in is cut off. */
  use(api: Api): void;
  /** From the next connection on this certificate is shown. Throws ListenError; then the one before stays. */
  renew(tls: Tls): void;
  /** Ends every connection and listens no more. */
  close(): Promise<void>;
}

/** A client has so long to send its headers, and its whole request. */
const HEADERS_TIMEOUT_MS = 10_000;
const REQUEST_TIMEOUT_MS = 20_000;
/** A connection on which nothing moves; live data has a heartbeat. */
const SILENCE_TIMEOUT_MS = 120_000;
const KEEP_ALIVE_MS = 30_000;
const MOST_HEADER_BYTES = 16 * 1024;
/** Live clients have one each. */
const MOST_CONNECTIONS = 512;

/** Listens on the address of the API's options. Throws ListenError. */
export async function listen(first: Api, options: ListenOptions = {}): Promise<Listening> {
  let api = first;
  const { tls } = options;
  const { clientCertificates, listen: place } = api.options;
  assert(clientCertificates !== true || tls?.clientCa !== undefined, "Client certificates need an authority");
  const listener = getRequestListener((request, env) => api.fetch(request, peerOf(env as HttpBindings)), {
    overrideGlobalObjects: false,
    hostname: place.address,
    errorHandler: answerBroken,
  });
  const server = serverFor(options, (incoming, outgoing) => void listener(incoming, outgoing));
  server.timeout = SILENCE_TIMEOUT_MS;
  server["maxConnections"] = MOST_CONNECTIONS;
  const { address, port } = await bound(server, place);
  const host = address.includes(":") ? `[${address}]` : address;
  return {
    url: `${tls === undefined ? "http" : "https"}://${host}:${port}/`,
    address,
    port,
    use: (next) => {
      const isOtherToken = next.options.token !== api.options.token;
      api = next;
      if (isOtherToken) server.closeAllConnections();
    },
    renew: (next) => {
      assert("setSecureContext" in server, "Only a server that speaks TLS has a certificate");
      (server as SecureServer).setSecureContext(usable(next));
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

type Handler = NonNullable<Parameters<typeof createServer>[1]>;

function serverFor(options: ListenOptions, handler: Handler): Server {
  const bounds = {
    headersTimeout: options.headersTimeoutMs ?? HEADERS_TIMEOUT_MS,
    requestTimeout: options.requestTimeoutMs ?? REQUEST_TIMEOUT_MS,
    connectionsCheckingInterval: Math.min(2000, options.headersTimeoutMs ?? HEADERS_TIMEOUT_MS),
    keepAliveTimeout: KEEP_ALIVE_MS,
    maxHeaderSize: MOST_HEADER_BYTES,
  };
  const { tls } = options;
  if (tls === undefined) return createServer(bounds, handler);
  return createSecureServer(
    {
      ...bounds,
      ...usable(tls),
      handshakeTimeout: bounds.headersTimeout,
      ...(tls.clientCa === undefined ? {} : { requestCert: true, rejectUnauthorized: true }),
    },
    handler,
  );
}

/** Throws ListenError where the certificate cannot be used. */
export function checkCertificate(tls: Tls): void {
  usable(tls);
}

/** As node:tls wants it. Throws ListenError where the files cannot be used. */
function usable({ key, certificate, clientCa }: Tls): SecureContextOptions {
  const secure: SecureContextOptions = {
    key,
    cert: certificate,
    minVersion: "TLSv1.2",
    ...(clientCa === undefined ? {} : { ca: clientCa }),
  };
  try {
    createSecureContext(secure);
    return secure;
  } catch (cause) {
    const found = cause instanceof Error ? cause.message : String(cause);
    throw new ListenError(
      "bad-certificate",
      `Cannot use the certificate: ${found}`,
      "tls_certificate, tls_key and client_ca are files in PEM, and the key belongs to the certificate",
      cause,
    );
  }
}

function bound(
  server: Server,
  { address, port }: { address: string; port: number },
): Promise<{ address: string; port: number }> {
  return new Promise((resolve, reject) => {
    // Also later: that a connection could not be accepted is no reason to end.
    server.on("error", (error) => reject(listenError(error, address, port)));
    server.listen({ host: address, port }, () => {
      const found = server.address();
      assert(found !== null && typeof found === "object", "A server that listens has an address");
      resolve({ address: found.address, port: found.port });
    });
  });
}

function listenError(error: Error & { code?: string }, address: string, port: number): ListenError {
  const place = `${address.includes(":") ? `[${address}]` : address}:${port}`;
  switch (error.code) {
    case "EADDRINUSE":
      return new ListenError(
        "address-in-use",
        `Cannot listen on ${place}: another program does`,
        `ss -ltnp 'sport = :${port}' names it; --listen takes another port`,
        error,
      );
    case "EADDRNOTAVAIL":
    case "ENOTFOUND":
    case "EINVAL":
      return new ListenError(
        "no-such-address",
        `Cannot listen on ${place}: this host does not have the address`,
        "ip address shows those it has",
        error,
      );
    case "EACCES":
      return new ListenError(
        "not-permitted",
        `Cannot listen on ${place}: permission denied`,
        "Ports below 1024 need CAP_NET_BIND_SERVICE; 9466 does not",
        error,
      );
    default:
      return new ListenError("failed", `Cannot listen on ${place}: ${error.message}`, undefined, error);
  }
}

function peerOf({ incoming }: HttpBindings): Peer {
  const { socket } = incoming;
  const certified = "authorized" in socket && socket.authorized === true;
  return {
    address: socket.remoteAddress ?? "",
    certified,
    cut: () => socket.destroy(),
  };
}

/** A request that is none, such as one with a Host header that cannot be. */
function answerBroken(): Response {
  const problem = new ApiProblem("host-refused", "Cannot read the request: it is not one of HTTP");
  return Response.json(problem.toJson(), { status: 400, headers: { connection: "close" } });
}
