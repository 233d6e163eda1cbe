/**
 * The file of what went: lines as /proc/net/nf_conntrack prints them, which `headroom list --source`
 * reads. Lines are written before their flows go, so that the file has them all, whatever happens.
 */
import { closeSync, constants, fstatSync, mkdirSync, openSync } from "node:fs";
import { dirname, join } from "node:path";
import { getSystemErrorMessage } from "node:util";

import { formatFlow, LINE_BYTES_MAX, LineBytes, type LineStyle } from "../../listing/listing.ts";
import type { FlowColumns } from "../../table/columns.ts";
import { flowAt } from "../../table/flow.ts";
import { OutputError } from "../output-file.ts";
import { visible } from "../plain-text.ts";
import { CHARACTER_BYTES, descriptorSink, type Sink } from "../terminal.ts";
import { UsageError } from "../usage-error.ts";

const DIRECTORY = "/var/lib/headroom/reclaimed";
const ROOM_BYTES = 64 * 1024;
const LINE_FEED = 10;

/** Where what goes is written when no other place is named: `2026-11-22T184033Z.txt`. */
export function defaultRemovedPath(nowMs: number): string {
  const time = new Date(nowMs)
    .toISOString()
    .replace(/\.\d+Z$/, "Z")
    .replaceAll(":", "");
  return join(DIRECTORY, `${time}.txt`);
}

export class RemovedFile {
  readonly path: string;
  readonly #style: LineStyle;
  readonly #lines: LineBytes;
  readonly #encoder = new TextEncoder();
  readonly #isDefault: boolean;
  #descriptor: number | undefined;
  #sink: Sink | undefined;

  /** Nothing is made before there is something to write. */
  constructor(path: string, isDefault: boolean, style: LineStyle) {
    this.path = path;
    this.#isDefault = isDefault;
    this.#style = style;
    this.#lines = new LineBytes(new Uint8Array(ROOM_BYTES), style);
  }

  /** Whether there is such a file by now. */
  get isMade(): boolean {
    return this.#descriptor !== undefined;
  }

  /** Makes the file when it is not there yet. Throws OutputError and UsageError. */
  make(): void {
    if (this.#descriptor !== undefined) return;
    if (this.#isDefault) this.#attempt(() => mkdirSync(dirname(this.path), { recursive: true, mode: 0o700 }));
    const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_APPEND;
    const descriptor = this.#attempt(() => openSync(this.path, flags, 0o600));
    const found = fstatSync(descriptor);
    if (found.isFile() && found.size > 0 && !this.#isDefault) {
      closeSync(descriptor);
      throw new UsageError(
        `Cannot write what goes into ${this.path}: there is something in it already`,
        "Name a file that is not there yet",
      );
    }
    this.#descriptor = descriptor;
    this.#sink = descriptorSink(descriptor);
  }

  /** Writes rows, all of them before it returns. */
  write(columns: FlowColumns, rows: Uint16Array, from: number, to: number): void {
    this.make();
    for (let index = from; index < to; index += 1) this.#put(columns, rows[index] as number);
    this.#flush();
  }

  close(): void {
    if (this.#descriptor !== undefined) closeSync(this.#descriptor);
    this.#descriptor = undefined;
  }

  #put(columns: FlowColumns, row: number): void {
    const lines = this.#lines;
    if (lines.length + LINE_BYTES_MAX > ROOM_BYTES) this.#flush();
    if (lines.canWrite(columns, row)) lines.write(columns, row);
    else this.#putText(columns, row);
    lines.bytes[lines.length] = LINE_FEED;
    lines.length += 1;
  }

  /** A flow with more than most have. */
  #putText(columns: FlowColumns, row: number): void {
    const lines = this.#lines;
    const flow = flowAt(columns, row);
    const text = formatFlow(flow, this.#style);
    const line = flow.rare === undefined ? text : visible(text);
    if (lines.length + line.length * CHARACTER_BYTES + 1 > ROOM_BYTES) this.#flush();
    lines.length += this.#encoder.encodeInto(line, lines.bytes.subarray(lines.length)).written;
  }

  #flush(): void {
    const lines = this.#lines;
    if (lines.length === 0) return;
    const bytes = lines.bytes.subarray(0, lines.length);
    lines.length = 0;
    this.#attempt(() => this.#sink?.write(bytes));
  }

  #attempt<Result>(work: () => Result): Result {
    try {
      return work();
    } catch (cause) {
      const { code = "EIO", errno = -5 } = cause as NodeJS.ErrnoException;
      const help =
        code === "ENOSPC" ? "; nothing goes that is not written first, --removed names another place" : "";
      throw new OutputError(
        code,
        `Cannot write what goes into ${this.path}: ${getSystemErrorMessage(errno)} (${code})${help}`,
        cause,
      );
    }
  }
}
