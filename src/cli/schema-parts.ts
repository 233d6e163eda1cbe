/** What the schemas of several commands have in common. */
import * as z from "zod/mini";

/** What could not be seen, and why. */
export const unseen = z.array(
  z.strictObject({
    what: z.string(),
    why: z.string(),
    help: z.optional(z.string()),
    cause: z.enum(["not-permitted", "missing", "unsupported", "unreadable", "not-loaded", "incomplete"]),
  }),
);
