/**
 * Bodies of requests, read as they come: what is too large is refused before it is held, whatever length was
 * announced.
 */
import type { ApiContext } from "./api-context.ts";
import { CHANGE_HEADER } from "./guard.ts";
import { ApiProblem } from "./problem.ts";
import { shown } from "./query.ts";

/** What no form and no image can send: a page of elsewhere would have to ask first, and is refused. */
export function checkChange(context: ApiContext): void {
  if (context.req.header(CHANGE_HEADER) === undefined) {
    throw new ApiProblem("not-permitted", `Cannot make the change: the header ${CHANGE_HEADER} is missing`, {
      help: `Send ${CHANGE_HEADER}: change, which pages from elsewhere cannot`,
    });
  }
  const type = context.req.header("content-type") ?? "";
  if (!/^application\/json\s*(;|$)/i.test(type)) {
    throw new ApiProblem(
      "unsupported-media-type",
      `Cannot read the change: its type is ${shown(type) || "unknown"}`,
      {
        help: "Send it as application/json",
      },
    );
  }
}

/** The body as JSON; throws ApiProblem. */
export async function readJson(context: ApiContext, mostBytes: number): Promise<unknown> {
  const text = await readText(context, mostBytes, "body");
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new ApiProblem("bad-body", "Cannot read the body: it is not JSON", { cause });
  }
}

/** The body as text; throws ApiProblem as soon as it is too large. `what` it is called. */
export async function readText(
  context: ApiContext,
  mostBytes: number,
  what: "body" | "form",
): Promise<string> {
  const tooLarge = (): ApiProblem =>
    new ApiProblem("body-too-large", `Cannot read the ${what}: it has more than ${mostBytes} bytes`);
  if (Number(context.req.header("content-length") ?? 0) > mostBytes) throw tooLarge();
  const { body } = context.req.raw;
  if (body === null) return "";
  const decoder = new TextDecoder();
  let [text, bytes] = ["", 0];
  for await (const piece of body as ReadableStream<Uint8Array>) {
    bytes += piece.length;
    if (bytes > mostBytes) throw tooLarge();
    text += decoder.decode(piece, { stream: true });
  }
  return text + decoder.decode();
}
