/**
 * Receipts as text: JSON, indented, for people with an editor as much as for programs; bytes in base64. What
 * is not a receipt of this schema is refused with the reason.
 */
import * as z from "zod/mini";
import { SETTING_KEYS } from "../table/settings.ts";
import type { FileImage } from "./change-host.ts";
import { type Receipt, RECEIPT_SCHEMA, type ReceiptFile } from "./receipt.ts";

const whole = z.int();

const who = z.object({
  user: z.string(),
  sudoUser: z.exactOptional(z.string()),
  tty: z.exactOptional(z.string()),
  command: z.string(),
});

const image = z.object({ base64: z.string(), mode: whole, uid: whole, gid: whole });

const line = z.union([
  z.object({ kind: z.literal("replace"), line: whole, from: z.string(), to: z.string() }),
  z.object({ kind: z.literal("append"), to: z.string() }),
]);

const step = z.object({
  key: z.enum(SETTING_KEYS),
  name: z.string(),
  path: z.string(),
  from: z.exactOptional(whole),
  to: whole,
  became: z.exactOptional(whole),
  mirror: z.exactOptional(z.literal(true)),
});

const file = z.object({
  path: z.string(),
  target: z.string(),
  before: z.exactOptional(image),
  after: image,
  backup: z.exactOptional(z.string()),
  directories: z.array(z.string()),
  lines: z.array(line),
});

const standing = z.object({
  what: z.string(),
  found: z.string(),
  wanted: z.string(),
  why: z.string(),
  command: z.string(),
});

const stored = z.object({
  schema: z.literal(RECEIPT_SCHEMA),
  id: z.string(),
  state: z.enum(["prepared", "running", "awaiting-confirmation", "applied", "undoing", "undone", "stuck"]),
  atMs: z.number(),
  by: who,
  bootId: z.exactOptional(z.string()),
  namespace: z.exactOptional(z.object({ inode: whole, name: z.exactOptional(z.string()) })),
  module: z.exactOptional(z.string()),
  steps: z.array(step),
  files: z.array(file),
  persist: z.boolean(),
  confirmByMs: z.exactOptional(z.number()),
  confirmed: z.exactOptional(z.object({ atMs: z.number(), by: who })),
  endedAtMs: z.exactOptional(z.number()),
  undo: z.exactOptional(
    z.object({
      reason: z.enum(["failed", "not-confirmed", "asked"]),
      atMs: z.number(),
      by: who,
      cause: z.exactOptional(z.string()),
    }),
  ),
  standing: z.exactOptional(z.array(standing)),
});

type StoredImage = z.infer<typeof image>;
type StoredFile = z.infer<typeof file>;

/** The bytes of `receipt.json`. */
export function encodeReceipt(receipt: Receipt): Uint8Array {
  const files = receipt.files.map(({ before, after, ...rest }) => ({
    ...rest,
    ...(before === undefined ? {} : { before: storedImage(before) }),
    after: storedImage(after),
  }));
  return new TextEncoder().encode(`${JSON.stringify({ ...receipt, files }, undefined, 2)}\n`);
}

/** The receipt, or why these bytes are none. */
export function decodeReceipt(bytes: Uint8Array): { receipt: Receipt } | { why: string } {
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    return { why: bytes.length === 0 ? "it is empty" : "it is not JSON" };
  }
  const schema = typeof json === "object" && json !== null && "schema" in json ? json.schema : undefined;
  if (schema !== RECEIPT_SCHEMA) {
    return { why: `its schema is ${JSON.stringify(schema) ?? "missing"}, not ${RECEIPT_SCHEMA}` };
  }
  const read = stored.safeParse(json);
  if (!read.success) {
    const [issue] = read.error.issues;
    return { why: `${issue?.path.join(".") ?? "it"} is not as a receipt has it` };
  }
  try {
    return { receipt: { ...read.data, files: read.data.files.map(fileOf) } };
  } catch {
    return { why: "the bytes of a file in it are not base64" };
  }
}

function storedImage({ bytes, mode, uid, gid }: FileImage): StoredImage {
  return { base64: bytes.toBase64(), mode, uid, gid };
}

function fileOf({ before, after, ...rest }: StoredFile): ReceiptFile {
  return { ...rest, ...(before === undefined ? {} : { before: imageOf(before) }), after: imageOf(after) };
}

function imageOf({ base64, mode, uid, gid }: StoredImage): FileImage {
  return { bytes: Uint8Array.fromBase64(base64), mode, uid, gid };
}
