/** Requests to the program that serves this page, and nothing else. */
import type { ProblemJson } from "../../src/server/api-schema.ts";

/** The server answered, and said no. */
export class Refused extends Error {
  override name = "Refused";
  readonly status: number;
  readonly code: string;
  readonly help: string | undefined;
  /** Of a filter: where it is wrong, from its beginning. */
  readonly at: number | undefined;
  readonly length: number | undefined;

  constructor(status: number, problem: ProblemJson) {
    super(problem.message);
    this.status = status;
    this.code = problem.code;
    this.help = problem.help;
    this.at = problem.at;
    this.length = problem.length;
  }
}

/** Nobody answered. */
export class Unreachable extends Error {
  override name = "Unreachable";
}

/** Relative, so that the page also works below a path of a proxy. */
function addressOf(path: string): string {
  return `api/v1/${path}`;
}

/** Reads one answer. Throws Refused, Unreachable, or what `signal` was aborted with. */
export async function get<Answer>(path: string, signal: AbortSignal): Promise<Answer> {
  const response = await ask(path, { signal, headers: { accept: "application/json" } });
  return (await response.json()) as Answer;
}

/** Sends a change; the answer is what came of it. */
export async function post<Answer>(path: string, body: object): Promise<Answer> {
  const response = await ask(path, {
    method: "POST",
    // No page of elsewhere can send this header: it would have to ask first.
    headers: { "content-type": "application/json", accept: "application/json", "x-headroom": "change" },
    body: JSON.stringify(body),
  });
  return (await response.json()) as Answer;
}

/** A stream of events as it comes, in pieces of text. */
export async function openStream(
  path: string,
  signal: AbortSignal,
): Promise<AsyncGenerator<string, void, undefined>> {
  const response = await ask(path, { signal, headers: { accept: "text/event-stream" } });
  if (response.body === null) throw new Unreachable("the stream has no body");
  return piecesOf(response.body);
}

/** By a reader: Safari cannot iterate over a stream. */
export async function* piecesOf(
  body: ReadableStream<Uint8Array<ArrayBuffer>>,
): AsyncGenerator<string, void, undefined> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
    yield decoder.decode(piece.value, { stream: true });
  }
}

async function ask(path: string, wanted: RequestInit): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(addressOf(path), { ...wanted, cache: "no-store" });
  } catch (error) {
    if (wanted.signal?.aborted === true) throw error;
    throw new Unreachable("nobody answers", { cause: error });
  }
  if (response.ok) return response;
  // A proxy in front that finds nobody behind it.
  if (response.status === 502 || response.status === 504) throw new Unreachable("nobody answers");
  throw new Refused(response.status, await problemOf(response));
}

async function problemOf(response: Response): Promise<ProblemJson> {
  const fallback = { code: "unknown", message: `the answer was ${response.status} ${response.statusText}` };
  try {
    const said = (await response.json()) as Partial<ProblemJson>;
    return { ...fallback, ...said };
  } catch {
    return fallback;
  }
}
