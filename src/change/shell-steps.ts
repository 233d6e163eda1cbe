/**
 * A change as the commands an operator would type, and its way back. They can be pasted into a POSIX shell;
 * what they do is what apply.ts does, in the same order.
 */
import type { Receipt, ReceiptFile, ReceiptStep } from "./receipt.ts";
import { shellWord } from "../table/shell-word.ts";
import { hasCarriageReturns } from "./edit-line.ts";
import type { Change, FileEdit, LineEdit } from "./steps.ts";

/** Commands that make the change, one a line. */
export function shellSteps(change: Change): readonly string[] {
  const module = change.module === undefined ? [] : [`modprobe ${change.module}`];
  return [
    ...module,
    ...change.steps
      .filter(({ mirror }) => mirror !== true)
      .map(({ name, path, to }) => setValue(name, path, to)),
    ...change.files.flatMap(fileCommands),
  ];
}

/** Commands that take it back. */
export function rollbackSteps(receipt: Receipt): readonly string[] {
  return [
    ...receipt.files.toReversed().flatMap(backCommands),
    ...receipt.steps
      .filter(({ mirror }) => mirror !== true)
      .toReversed()
      .flatMap(valueBack),
  ];
}

function setValue(name: string, path: string, value: number): string {
  if (path.startsWith("/proc/sys/")) return `sysctl -w ${name}=${value}`;
  return `echo ${value} > ${shellWord(path)}`;
}

function valueBack({ name, path, from }: ReceiptStep): readonly string[] {
  return from === undefined ? [] : [setValue(name, path, from)];
}

function fileCommands(file: FileEdit): readonly string[] {
  const target = shellWord(file.target);
  const { before, after, backup, lines } = file;
  const last = file.directories.at(-1);
  const directories = last === undefined ? [] : [`mkdir -p ${shellWord(last)}`];
  const copied = backup === undefined ? [] : [`cp -a ${target} ${shellWord(backup)}`];
  const replaced = lines.flatMap((edit) => (edit.kind === "replace" ? [sedCommand(edit, target)] : []));
  const added = lines.flatMap((edit) => (edit.kind === "append" ? [edit.to] : []));
  const mode =
    before === undefined && after.mode !== 0o644 ? [`chmod ${after.mode.toString(8)} ${target}`] : [];
  return [...directories, ...copied, ...replaced, ...appendCommands(file, added, target), ...mode];
}

function appendCommands({ before }: FileEdit, added: readonly string[], target: string): readonly string[] {
  if (added.length === 0) return [];
  const words = added.map(shellWord).join(" ");
  const bytes = before?.bytes ?? new Uint8Array();
  const end = hasCarriageReturns(bytes) ? String.raw`\r\n` : String.raw`\n`;
  const open = bytes.length > 0 && bytes.at(-1) !== 0x0a;
  const gap = open ? [`printf '${end}' >> ${target}`] : [];
  return [...gap, `printf '%s${end}' ${words} ${before === undefined ? ">" : ">>"} ${target}`];
}

/** Only the part of the line that changes is named, so what is no text in it stays. */
function sedCommand({ line, from, to }: LineEdit & { kind: "replace" }, target: string): string {
  const { before, old, wanted } = changedPart(from, to);
  const mark = (before + old).includes("/") ? "|" : "/";
  const pattern = (before + old).replaceAll(/[\\.*[\]^$]/g, String.raw`\$&`);
  const text = (before + wanted).replaceAll(/[\\&]/g, String.raw`\$&`);
  const script = `${line}s${mark}${pattern}${mark}${text}${mark}`;
  return `sed -i --follow-symlinks ${shellWord(script)} ${target}`;
}

/** The number that changes, with the word before it, so that it is found at its place. */
function changedPart(from: string, to: string): { before: string; old: string; wanted: string } {
  let start = 0;
  while (start < from.length && from[start] === to[start]) start += 1;
  let end = 0;
  const most = Math.min(from.length, to.length) - start;
  while (end < most && from.at(-1 - end) === to.at(-1 - end)) end += 1;
  // Whole words: digits that happen to be the same belong to the number.
  while (start > 0 && /\w/.test(from[start - 1] ?? "")) start -= 1;
  while (end > 0 && /\w/.test(from[from.length - end] ?? "")) end -= 1;
  const before = /\w*\s*=?\s*["']?$/.exec(from.slice(0, start))?.[0] ?? "";
  return { before, old: from.slice(start, from.length - end), wanted: to.slice(start, to.length - end) };
}

function backCommands(file: ReceiptFile): readonly string[] {
  const target = shellWord(file.target);
  if (file.before === undefined) {
    return [`rm ${target}`, ...file.directories.toReversed().map((path) => `rmdir ${shellWord(path)}`)];
  }
  return file.backup === undefined ? [] : [`mv ${shellWord(file.backup)} ${target}`];
}
