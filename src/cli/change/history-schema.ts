/**
 * Machine output of `headroom history`.
 */
import * as z from "zod/mini";

import { fileSchema, settingKeySchema, standingSchema, whoSchema } from "./change-schema.ts";

const change = z.strictObject({
  id: z.string(),
  state: z.enum(["prepared", "running", "awaiting-confirmation", "applied", "undoing", "undone", "stuck"]),
  /** How it stands, in the words of `headroom apply`; absent: it was interrupted. */
  outcome: z.optional(z.enum(["applied", "reverted", "stuck"])),
  atMs: z.number(),
  by: whoSchema,
  bootId: z.optional(z.string()),
  /** The network namespace whose settings were written. */
  namespace: z.optional(z.strictObject({ inode: z.int(), name: z.optional(z.string()) })),
  /** The module that was loaded. */
  module: z.optional(z.string()),
  steps: z.array(
    z.strictObject({
      key: settingKeySchema,
      name: z.string(),
      path: z.string(),
      from: z.optional(z.int()),
      to: z.int(),
      became: z.optional(z.int()),
      /** Another name of a setting that has been written: in a tree it is a file of its own. */
      mirror: z.optional(z.literal(true)),
    }),
  ),
  files: z.array(fileSchema),
  persist: z.boolean(),
  confirmByMs: z.optional(z.number()),
  confirmed: z.optional(z.strictObject({ atMs: z.number(), by: whoSchema })),
  endedAtMs: z.optional(z.number()),
  undo: z.optional(
    z.strictObject({
      reason: z.enum(["failed", "not-confirmed", "asked"]),
      atMs: z.number(),
      by: whoSchema,
      cause: z.optional(z.string()),
    }),
  ),
  standing: z.optional(z.array(standingSchema)),
  /** Nothing of it is left although nobody took it back: with what its values went. */
  ended: z.optional(z.enum(["boot", "namespace"])),
});

const unreadable = z.strictObject({ id: z.string(), unreadable: z.string(), path: z.string() });

/** `headroom history --json`: the most recent change first. */
export const historySchema = z.strictObject({
  schema: z.literal("headroom/history/v1"),
  changes: z.array(z.union([change, unreadable])),
});
