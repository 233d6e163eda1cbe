/**
 * Machine output of `headroom verify`.
 */
import * as z from "zod/mini";
import { unseen } from "../schema-parts.ts";

import { OUTLOOK_TROUBLES } from "../../plan/plan.ts";
import { DEFINITION_READERS } from "../../table/boot.ts";

const whole = z.int().check(z.nonnegative());

/** A line of a file, or a field of a program's configuration. */
const definition = {
  name: z.string(),
  key: z.optional(z.string()),
  text: z.string(),
  value: z.optional(z.number()),
  reader: z.enum(DEFINITION_READERS),
  path: z.string(),
  line: z.optional(whole),
  optional: z.optional(z.literal(true)),
};

const bootDefinition = z.strictObject({
  fate: z.enum(["wins", "overridden", "too-early", "not-read", "refused", "sets-again"]),
  why: z.optional(z.string()),
  ...definition,
});

/** `headroom verify --json`. */
export const verifySchema = z.strictObject({
  schema: z.literal("headroom/verify/v1"),
  subject: z.optional(z.string()),
  /** `warning`: something is lost, or a line sets nothing; `unknown`: of something it cannot be told. */
  level: z.enum(["ok", "warning", "unknown"]),
  /** Every value in force is known to be the same after the next boot: the level is `ok`. */
  holds: z.boolean(),
  settingsInForce: whole,
  settingsUnknown: whole,
  tracker: z.strictObject({
    when: z.enum(["builtin", "early", "late", "unknown"]),
    by: z.optional(z.string()),
  }),
  sysctlReader: z.enum(["systemd-sysctl", "procps", "unknown"]),
  settings: z.array(
    z.strictObject({
      key: z.string(),
      name: z.string(),
      unit: z.enum(["flows", "buckets", "seconds", "flag", "count"]),
      now: z.optional(z.number()),
      afterBoot: z.optional(z.number()),
      from: z.enum(["set", "hashsize", "default", "namespace", "unknown"]),
      setBy: z.optional(z.strictObject(definition)),
      troubles: z.array(z.enum(OUTLOOK_TROUBLES)),
      meaning: z.optional(z.string()),
      command: z.optional(z.string()),
      definitions: z.array(bootDefinition),
    }),
  ),
  unknown: z.array(bootDefinition),
  unseen,
});
