/**
 * The API and the built dashboard with the host of fake-watched.ts, a sample each second:
 *
 *   node test/support/fake-serve.ts --port 8080 [--token SECRET] [--changes] [--web DIRECTORY] [--bare]
 *
 * `--bare`: a host of which nothing is known yet.
 */
import { createHash } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { extname, join } from "node:path";
import { parseArgs } from "node:util";
import { systemClock } from "../../src/base/clock.ts";
import { type Asset, createApi, listen } from "../../src/server/server.ts";
import { fakeDeps } from "./fake-api.ts";
import { fakeHost } from "./fake-watched.ts";

const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
  ".json": "application/json",
  ".webmanifest": "application/manifest+json",
  ".woff2": "font/woff2",
  ".png": "image/png",
};

const { values } = parseArgs({
  options: {
    port: { type: "string", default: "9466" },
    address: { type: "string", default: "127.0.0.1" },
    token: { type: "string" },
    changes: { type: "boolean" },
    bare: { type: "boolean" },
    web: { type: "string", default: "node_modules/.cache/headroom/web" },
  },
});

function assetAt(path: string): Asset | undefined {
  const file = join(values.web, path);
  if (statSync(file, { throwIfNoEntry: false })?.isFile() !== true) return undefined;
  const bytes = new Uint8Array(readFileSync(file));
  const etag = `"${createHash("sha256").update(bytes).digest("base64url").slice(0, 20)}"`;
  const type = TYPES[extname(path)] ?? "application/octet-stream";
  return { bytes, type, etag, immutable: path.startsWith("assets/") };
}

const host = fakeHost(systemClock);
const { watched } = host;
const deps = fakeDeps(host, systemClock, {
  listen: { address: values.address, port: Number(values.port) },
  ...(values.token === undefined ? {} : { token: values.token }),
  ...(values.changes === undefined ? {} : { allowChanges: true }),
});
const api = createApi({
  ...deps,
  asset: assetAt,
  log: (line) => process.stdout.write(`${JSON.stringify(line)}\n`),
  ...(values.bare === true
    ? {
        watched: {
          ...watched,
          state: () => {
            const {
              census: _1,
              observation: _2,
              forecast: _3,
              sample: _4,
              events: _5,
              ...rest
            } = watched.state();
            return { ...rest, alerts: [] };
          },
        },
      }
    : {}),
});
const listening = await listen(api);
setInterval(() => host.tick(), 1000);
process.stdout.write(`${listening.url}\n`);
