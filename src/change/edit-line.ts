/**
 * Editing one value in a file and nothing else of it. Bytes in, bytes out: comments, blanks, line ends, a
 * missing last one, a leading `-` and bytes that are no UTF-8 stay as they are.
 */
import type { Definition } from "../table/boot.ts";
import type { LineEdit } from "./steps.ts";

export interface Edited {
  bytes: Uint8Array;
  edit: LineEdit;
}

/**
 * Puts `value` in place of the one a definition gives. Undefined when the line cannot be told, is a pattern
 * that sets other names as well, or gives the value in a way that is not understood (a variable of a script).
 */
export function replaceValue(bytes: Uint8Array, definition: Definition, value: number): Edited | undefined {
  const lines = linesOf(bytes);
  const at = (definition.line ?? 0) - 1;
  // A command or an option may go on in the next lines.
  for (let index = at; index >= 0 && index < lines.length; index += 1) {
    const line = lines[index] ?? "";
    const replaced = replacedLine(line, definition, value);
    if (replaced !== undefined) {
      const edit: LineEdit = {
        kind: "replace",
        line: index + 1,
        from: shown(line),
        to: shown(replaced),
      };
      return { bytes: bytesOf(lines.with(index, replaced).join("\n")), edit };
    }
    if (!line.trimEnd().endsWith("\\")) return undefined;
  }
  return undefined;
}

function replacedLine(line: string, definition: Definition, value: number): string | undefined {
  switch (definition.reader) {
    case "systemd-sysctl":
    case "procps":
    case "ufw":
      return replacedSysctl(line, definition, value);
    case "modprobe":
      return replacedOption(line, definition, value);
    case "rc-local":
      return replacedCommand(line, definition, value);
    default:
      return undefined;
  }
}

/** `name = value`: the first word after the equals sign; what stands behind it stays. */
function replacedSysctl(line: string, { name, text }: Definition, value: number): string | undefined {
  const match = /^(\s*-?\s*)([^=\s]+)(\s*=[ \t]*)([^\s]*)(.*)$/s.exec(line);
  if (match === null) return undefined;
  const [, lead = "", found = "", equals = "", old = "", rest = ""] = match;
  if (dotted(found) !== dotted(name) || /[*?[\]]/.test(found) || !text.startsWith(old)) return undefined;
  return `${lead}${found}${equals}${value}${rest}`;
}

/** `options nf_conntrack hashsize=16384 other=1`. */
function replacedOption(line: string, { name, text }: Definition, value: number): string | undefined {
  const parameter = name.split(".").at(-1) ?? name;
  return replacedAfter(line, `${parameter}=`, text, value);
}

/** `sysctl -w name=value` and `echo value > /proc/sys/...`, as they stand in a script. */
function replacedCommand(line: string, { name, text }: Definition, value: number): string | undefined {
  const before = line.trimStart();
  if (before.startsWith("#")) return undefined;
  const names = [name, dotted(name), dotted(name).replaceAll(".", "/")];
  for (const each of names) {
    const replaced = replacedAfter(line, `${each}=`, text, value);
    if (replaced !== undefined) return replaced;
  }
  const path = names.find((each) => line.includes(each));
  const echo = new RegExp(String.raw`^(.*\becho\s+(?:-n\s+)?["']?)(${escaped(text)})(["']?\s*[>|].*)$`, "s");
  const match = path === undefined ? null : echo.exec(line);
  return match === null ? undefined : `${match[1]}${value}${match[3]}`;
}

/** The last place where `before` and the old value stand together as a word of their own. */
function replacedAfter(line: string, before: string, old: string, value: number): string | undefined {
  if (old === "") return undefined;
  const pattern = new RegExp(
    String.raw`(?<![\w.])(${escaped(before)}["']?)${escaped(old)}(?=$|[\s"';&|\\])`,
    "g",
  );
  const last = [...line.matchAll(pattern)].at(-1);
  if (last === undefined) return undefined;
  const start = last.index + (last[1]?.length ?? 0);
  return `${line.slice(0, start)}${value}${line.slice(start + old.length)}`;
}

/** Adds a line at the end, with the line end the file has. */
export function appendLine(bytes: Uint8Array, text: string): Edited {
  const whole = textOf(bytes);
  const end = hasCarriageReturns(bytes) ? "\r\n" : "\n";
  const gap = whole === "" || whole.endsWith("\n") ? "" : end;
  const line = textOf(new TextEncoder().encode(text));
  return { bytes: bytesOf(`${whole}${gap}${line}${end}`), edit: { kind: "append", to: text } };
}

/** Whether lines end as on DOS. */
export function hasCarriageReturns(bytes: Uint8Array): boolean {
  return textOf(bytes).includes("\r\n");
}

/** Names with slashes and with dots are the same, where no interface name with dots is in them. */
export function dotted(name: string): string {
  return name.replaceAll("/", ".");
}

function escaped(text: string): string {
  return text.replaceAll(/[\\^$.*+?()[\]{}|/-]/g, String.raw`\$&`);
}

/** One character for each byte, so that what is no text survives. */
function textOf(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
}

function bytesOf(text: string): Uint8Array {
  return Uint8Array.from(text, (char) => char.charCodeAt(0));
}

function linesOf(bytes: Uint8Array): string[] {
  return textOf(bytes).split("\n");
}

function shown(line: string): string {
  return new TextDecoder().decode(bytesOf(line)).replace(/\r$/, "");
}
