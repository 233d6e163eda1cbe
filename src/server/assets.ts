/**
 * Files of the dashboard. A path is a name in what was built, never a place on a disk.
 */
import type { ApiContext } from "./api-context.ts";
import type { ApiDeps, Asset } from "./api-deps.ts";
import { isWorthPacking, type PackedAssets, packingOf } from "./packing.ts";
import { ApiProblem } from "./problem.ts";
import { shown } from "./query.ts";

/** Names as the build makes them: no escapes, no step up. */
const NAME = /^(?:[\w@-][\w.@-]*\/)*[\w@-][\w.@-]*$/;

/** A file, or the page for a path that is a view of it. */
export async function answerAsset(
  context: ApiContext,
  deps: ApiDeps,
  packed: PackedAssets,
): Promise<Response> {
  const { path } = context.req;
  const found = assetOf(deps, path);
  if (found === undefined) throw missing(path);
  const { bytes, etag, type, immutable } = found;
  const isPacked = isWorthPacking(type, bytes.length);
  const header = context.req.header("accept-encoding") ?? null;
  const packing = isPacked ? packingOf(header, ["br", "gzip"]) : undefined;
  const tag = packing === undefined ? etag : etag.replace(/"$/, `-${packing}"`);
  const headers = new Headers({
    "content-type": type,
    etag: tag,
    "cache-control": immutable ? "private, max-age=31536000, immutable" : "private, no-cache",
    ...(isPacked ? { vary: "accept-encoding" } : {}),
  });
  if (isFresh(context.req.header("if-none-match"), tag)) {
    context.set("bytes", 0);
    return new Response(null, { status: 304, headers });
  }
  const body = packing === undefined ? bytes : await packed.of(found, packing);
  if (packing !== undefined) headers.set("content-encoding", packing);
  headers.set("content-length", String(body.length));
  context.set("bytes", body.length);
  return new Response(body, { headers });
}

function assetOf(deps: ApiDeps, path: string): Asset | undefined {
  const name = path.slice(1);
  if (name === "") return deps.asset("index.html");
  if (!NAME.test(name)) return undefined;
  // A view of the page has a path without an ending.
  return deps.asset(name) ?? (name.includes(".") ? undefined : deps.asset("index.html"));
}

function missing(path: string): ApiProblem {
  return path === "/"
    ? new ApiProblem("not-found", "Cannot show the dashboard: it was not built", {
        help: "npm run setup builds it; the API is under /api/v1",
      })
    : new ApiProblem("not-found", `Cannot find ${shown(path)}: there is no such file`);
}

function isFresh(header: string | undefined, etag: string): boolean {
  if (header === undefined) return false;
  const tags = header.split(",").map((tag) => tag.trim().replace(/^W\//, ""));
  return tags.includes(etag) || tags.includes("*");
}
