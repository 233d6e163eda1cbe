/** The line that `headroom serve --json` prints when it serves. */
import * as z from "zod/mini";

import { unseen } from "../schema-parts.ts";

const count = z.number().check(z.nonnegative());

/** `headroom serve --json`: one line, once it listens. */
export const serveSchema = z.strictObject({
  schema: z.literal("headroom/serve/v1"),
  version: z.string(),
  /** Where the dashboard is; the API is below it. */
  url: z.string(),
  /** As it listens: the port is the one that was found where none was named. */
  address: z.string(),
  port: count,
  stateDirectory: z.string(),
  historyBoundBytes: count,
  /** Absent: there is no file, and the defaults hold. */
  configuration: z.optional(z.string()),
  allowChanges: z.boolean(),
  unseen,
});

export type ServeJson = z.infer<typeof serveSchema>;
