/**
 * The body of POST /api/v1/changes, checked as the query of a preview is.
 */
import * as z from "zod/mini";

import type { Settings } from "../table/settings.ts";
import { changeRequestSchema } from "./api-schema.ts";
import { ApiProblem } from "./problem.ts";
import { checkedValue, readKey, shown } from "./query.ts";

/** The settings that are wanted; throws ApiProblem. */
export function readChange(body: unknown): Settings {
  const { success, data, error } = z.safeParse(changeRequestSchema, body);
  if (!success) {
    const [issue] = error.issues;
    const place = issue?.path.length ? ` at ${shown(issue.path.join("."))}` : "";
    throw new ApiProblem(
      "bad-body",
      `Cannot read the change${place}: ${shown(issue?.message ?? "not as wanted")}`,
      {
        help: 'As in {"settings": {"nf_conntrack_max": 524288}}',
      },
    );
  }
  const wanted: Record<string, number> = {};
  for (const [name, value] of Object.entries(data.settings)) {
    const key = readKey(name);
    if (Object.hasOwn(wanted, key))
      throw new ApiProblem("bad-body", `Cannot make the change: ${key} is set twice`);
    wanted[key] = checkedValue(key, value);
  }
  if (Object.keys(wanted).length > 0) return wanted;
  throw new ApiProblem("bad-body", "Cannot make the change: it has no settings");
}
