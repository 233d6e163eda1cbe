/**
 * Machine output of `headroom confirm`.
 */
import * as z from "zod/mini";

import { refusalSchema } from "./change-schema.ts";

/** `headroom confirm --json`. */
export const confirmSchema = z.strictObject({
  schema: z.literal("headroom/confirm/v1"),
  outcome: z.enum(["confirmed", "refused"]),
  changeId: z.optional(z.string()),
  refusal: z.optional(refusalSchema),
});
