/** What the machine output of the commands that change something has in common. */
import * as z from "zod/mini";

import { SETTING_KEYS } from "../../table/settings.ts";

const key = z.enum(SETTING_KEYS);

/** A value that is written; `from` is absent where the module that has it was not loaded. */
export const stepSchema = z.strictObject({
  key,
  name: z.optional(z.string()),
  path: z.optional(z.string()),
  from: z.optional(z.int()),
  to: z.optional(z.int()),
});

export const fileSchema = z.strictObject({ path: z.string(), backup: z.optional(z.string()) });

export const refusalSchema = z.strictObject({
  code: z.string(),
  message: z.string(),
  help: z.optional(z.string()),
  key: z.optional(key),
  path: z.optional(z.string()),
});

/** Something that is neither as it was nor as it was to become. */
export const standingSchema = z.strictObject({
  what: z.string(),
  found: z.string(),
  wanted: z.string(),
  why: z.string(),
  command: z.string(),
});

export const whoSchema = z.strictObject({
  user: z.string(),
  sudoUser: z.optional(z.string()),
  tty: z.optional(z.string()),
  command: z.string(),
});

export { key as settingKeySchema };
