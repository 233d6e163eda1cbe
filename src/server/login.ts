/**
 * The page that asks a browser for the token. It has no script, and its style is named by its digest in the
 * policy of the page, so that nothing else is run or drawn.
 */
import { createHash } from "node:crypto";

import type { ApiContext } from "./api-context.ts";
import type { ApiOptions } from "./api-deps.ts";
import { isSame, sessionCookie } from "./guard.ts";
import { ApiProblem } from "./problem.ts";
import type { RateLimit } from "./rate.ts";
import { readText } from "./request-body.ts";

const STYLE = `
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; }
main { box-sizing: border-box; width: min(26rem, 100vw); padding: 1.5rem; }
h1 { font-size: 1.25rem; margin: 0 0 0.5rem; }
label { display: block; margin: 1.25rem 0 0.25rem; font-weight: 600; }
input, button { box-sizing: border-box; width: 100%; font: inherit; padding: 0.6rem; border-radius: 0.4rem; }
input { border: 1px solid light-dark(#6b7280, #9ca3af); }
button { margin-top: 0.75rem; border: 0; }
button { background: light-dark(#1d4ed8, #93c5fd); color: light-dark(#fff, #0b1220); }
.wrong { color: light-dark(#b91c1c, #fca5a5); }
`;

const STYLE_DIGEST = createHash("sha256").update(STYLE).digest("base64");

const LOGIN_POLICY =
  `default-src 'none'; style-src 'sha256-${STYLE_DIGEST}'; base-uri 'none'; form-action 'self'; ` +
  "frame-ancestors 'none'";

interface Door {
  token: string;
  options: ApiOptions;
  wrongTokens: RateLimit;
  client: string;
}

/** Of a form with one token. */
const MOST_FORM_BYTES = 2000;

/** `/login`: the page, and what its form sends. */
export async function answerLogin(context: ApiContext, door: Door): Promise<Response> {
  const { method } = context.req;
  if (method === "GET" || method === "HEAD") return page(loginPage());
  if (method !== "POST") {
    const message = "Cannot answer: /login takes GET, HEAD and POST";
    throw new ApiProblem("method-not-allowed", message, { headers: { allow: "GET, HEAD, POST" } });
  }
  const text = await readText(context, MOST_FORM_BYTES, "form");
  const found = new URLSearchParams(text).get("token")?.trim() ?? "";
  if (isSame(found, door.token)) {
    const headers = { location: "/", "set-cookie": sessionCookie(door.token, door.options) };
    return new Response(null, { status: 303, headers: { ...headers, "cache-control": "no-store" } });
  }
  door.wrongTokens.take(door.client);
  return page(loginPage("That is not the token of this server."), 401);
}

/**
 * A browser that opens a page without a session: with `?token=` it gets one, otherwise it is asked. Undefined
 * for everything else.
 *
 * A strict cookie is not sent when a link elsewhere was clicked, nor after a redirection of such a click. The
 * page that is sent then asks again from here.
 */
export function answerStranger(context: ApiContext, door: Door): Response | undefined {
  const url = new URL(context.req.url);
  const isPage =
    context.req.method === "GET" && !url.pathname.startsWith("/api/") && url.pathname !== "/metrics";
  if (!isPage) return undefined;
  const given = url.searchParams.get("token");
  if (given !== null && isSame(given, door.token)) {
    url.searchParams.delete("token");
    const answer = page(onwardPage(url.pathname + url.search));
    answer.headers.set("set-cookie", sessionCookie(door.token, door.options));
    return answer;
  }
  if (given !== null) door.wrongTokens.take(door.client);
  if (!(context.req.header("accept") ?? "").includes("text/html")) return undefined;
  if (given === null && context.req.header("sec-fetch-site") === "cross-site") {
    return page(onwardPage(url.pathname + url.search));
  }
  return new Response(null, { status: 303, headers: { location: "/login", "cache-control": "no-store" } });
}

function page(text: string, status = 200): Response {
  const headers = { "content-type": "text/html; charset=utf-8", "cache-control": "no-store" };
  return new Response(text, { status, headers: { ...headers, "content-security-policy": LOGIN_POLICY } });
}

/** Goes on to a path of this server at once. */
function onwardPage(path: string): string {
  // Two slashes would name another host.
  const safe = escaped(`/${path.replace(/^[/\\]+/, "")}`);
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="refresh" content="0; url=${safe}">
<title>Headroom</title>
</head>
<body><p><a href="${safe}">To the dashboard</a></p></body>
</html>
`;
}

/** `said` is shown above the field. */
function loginPage(said?: string): string {
  const wrong = said === undefined ? "" : `<p class="wrong" role="alert">${escaped(said)}</p>`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Headroom: token</title>
<style>${STYLE}</style>
</head>
<body>
<main>
<h1>Headroom</h1>
<p>This page is for people who know the token of this host. It is in the file that <code>token_file</code> of
headroom.toml names.</p>
${wrong}<form method="post" action="/login">
<label for="token">Token</label>
<input id="token" name="token" type="password" autocomplete="current-password" required autofocus>
<button type="submit">Open the dashboard</button>
</form>
</main>
</body>
</html>
`;
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
}
