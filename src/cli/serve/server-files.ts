/**
 * What the server is given as files: the token, and keys and certificates. Read at the start, and again when
 * the configuration is.
 */
import { readFileSync, statSync } from "node:fs";

import type { ListenOptions } from "../../server/server.ts";
import type { Configuration } from "./configuration-schema.ts";
import { whyUnreadable } from "./file-reasons.ts";

type ServerSection = Configuration["server"];

/** A file that is named in the configuration cannot be used. */
export class ServerFileError extends Error {
  override name = "ServerFileError";
  readonly code: string;

  constructor(code: string, message: string, cause?: unknown) {
    super(message, cause === undefined ? {} : { cause });
    this.code = code;
  }
}

/** Shorter ones are guessed. */
const LEAST_TOKEN_CHARACTERS = 16;

/** The token; undefined when no file is named. `warn` is told when everybody may read it. */
export function readToken(
  { token_file: path }: ServerSection,
  warn: (text: string) => void,
): string | undefined {
  if (path === "") return undefined;
  const token = textOf("token_file", path).trim();
  if (!/^[\u0021-\u007e]+$/.test(token)) {
    throw new ServerFileError("bad-token", `Cannot use token_file ${path}: wanted one word in one line`);
  }
  if (token.length < LEAST_TOKEN_CHARACTERS) {
    throw new ServerFileError(
      "bad-token",
      `Cannot use token_file ${path}: the token has fewer than ${LEAST_TOKEN_CHARACTERS} characters; ` +
        "`openssl rand -hex 32` makes a good one",
    );
  }
  if ((statSync(path).mode & 0o004) !== 0) {
    warn(`Everybody on this host can read the token: chmod o-r ${path}`);
  }
  return token;
}

/** Undefined when no certificate is named. */
export function readTls(section: ServerSection): ListenOptions["tls"] {
  const { tls_certificate: certificate, tls_key: key, client_ca: clientCa } = section;
  if (certificate === "" && key === "" && clientCa === "") return undefined;
  if (certificate === "" || key === "") {
    throw new ServerFileError(
      "incomplete-tls",
      "Cannot speak TLS: tls_certificate and tls_key belong together, and client_ca needs both",
    );
  }
  return {
    certificate: textOf("tls_certificate", certificate),
    key: textOf("tls_key", key),
    ...(clientCa === "" ? {} : { clientCa: textOf("client_ca", clientCa) }),
  };
}

function textOf(option: string, path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    const error = cause as NodeJS.ErrnoException;
    const { code = "unreadable" } = error;
    throw new ServerFileError(code, `Cannot read ${option} ${path}: ${whyUnreadable(error)}`, cause);
  }
}
