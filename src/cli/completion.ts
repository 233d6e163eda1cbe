/**
 * Completion scripts for shells, written from the command tree. They are static: completing starts no
 * headroom.
 */
import { type CommandPage, commandPages, type OptionPage } from "./command-pages.ts";
import type { Shell } from "./options.ts";
import { SETTING_KEYS, settingOf } from "../table/settings.ts";
import { SOURCE_WORDS } from "./flow-source.ts";

/** The script that `headroom completion SHELL` prints. */
export function completionScript(shell: Shell): string {
  const pages = commandPages();
  switch (shell) {
    case "bash":
      return bashScript(pages);
    case "zsh":
      return zshScript(pages);
    case "fish":
      return fishScript(pages);
  }
}

/** What completes an option's value. */
type Value =
  | { kind: "words"; words: readonly string[] }
  | { kind: "directory" | "file" | "namespace" | "source" | "setting" | "interface" | "free" };

function valueOf(option: OptionPage): Value | undefined {
  if (option.choices.length > 0) return { kind: "words", words: option.choices };
  switch (option.value) {
    case undefined:
      return undefined;
    case "dir":
      return { kind: "directory" };
    case "file":
      return { kind: "file" };
    case "key=value":
      return { kind: "setting" };
    case "interface":
      return { kind: "interface" };
    case "source":
      return { kind: "source" };
    case "name|pid":
      return { kind: "namespace" };
    default:
      return { kind: "free" };
  }
}

function wordsOf(page: CommandPage, pages: readonly CommandPage[]): string[] {
  const operands = page.name === "help" ? pages.map(({ name }) => name) : page.operandChoices;
  return [
    ...operands,
    ...page.options.flatMap(({ long, short }) => (short === undefined ? [long] : [long, short])),
  ];
}

const NAMESPACES = "$(ls /run/netns 2>/dev/null)";
const INTERFACES = "$(ls /sys/class/net 2>/dev/null)";

/** What `--set` completes: settings that can be set, up to their value. */
const SETTING_WORDS = SETTING_KEYS.filter((key) => settingOf(key).readOnly !== true).map((key) => `${key}=`);

function bashScript(pages: readonly CommandPage[]): string {
  const names = pages.map(({ name }) => name).join(" ");
  const values = pages.flatMap((page) =>
    page.options.flatMap((option) => {
      const value = valueOf(option);
      if (value === undefined) return [];
      const keys = [option.long, ...(option.short === undefined ? [] : [option.short])];
      const pattern = keys.map((key) => `${page.name}:${key}`).join("|");
      return [`    ${pattern}) ${bashValue(value)}; return ;;`];
    }),
  );
  return `# bash completion for headroom
_headroom() {
  local current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD-1]} command=check words index
  COMPREPLY=()
  for ((index = 1; index < COMP_CWORD; index++)); do
    case " ${names} " in *" \${COMP_WORDS[index]} "*) command=\${COMP_WORDS[index]}; break ;; esac
  done
  case "$command:$previous" in
${values.join("\n")}
  esac
  case "$command" in
${pages.map((page) => `    ${page.name}) words="${wordsOf(page, pages).join(" ")}" ;;`).join("\n")}
  esac
  if ((COMP_CWORD == 1)); then words="${names} --version $words"; fi
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
  case "$command" in
    ${pages
      .filter(({ takesFile }) => takesFile)
      .map(({ name }) => name)
      .join("|")}) [[ $current == -* ]] || {
      compopt -o filenames
      mapfile -t COMPREPLY < <(compgen -f -- "$current")
    } ;;
  esac
}
complete -F _headroom headroom
`;
}

function bashValue(value: Value): string {
  const reply = (generate: string): string => `mapfile -t COMPREPLY < <(compgen ${generate} -- "$current")`;
  switch (value.kind) {
    case "words":
      return reply(`-W "${value.words.join(" ")}"`);
    case "directory":
      return `compopt -o filenames; ${reply("-d")}`;
    case "file":
      return `compopt -o filenames; ${reply("-f")}`;
    case "source":
      return `compopt -o filenames; ${reply(`-f -W "${SOURCE_WORDS.join(" ")}"`)}`;
    case "namespace":
      return reply(`-W "${NAMESPACES}"`);
    case "interface":
      return reply(`-W "${INTERFACES}"`);
    case "setting":
      return `compopt -o nospace; ${reply(`-W "${SETTING_WORDS.join(" ")}"`)}`;
    case "free":
      return ":";
  }
}

function zshScript(pages: readonly CommandPage[]): string {
  const commands = pages.map(({ name, about }) => `    ${single(`${name}:${about}`)}`).join("\n");
  const cases = pages.map((page) => {
    const specs = page.options.map((option) => `        ${zshOption(option)}`);
    const operands = zshOperand(page, pages);
    return `      ${page.name})\n        _arguments \\\n${[...specs, ...operands].join(" \\\n")}\n        ;;`;
  });
  return `#compdef headroom
# zsh completion for headroom
_headroom() {
  local state line
  local -a commands=(
${commands}
  )
  if (( CURRENT == 2 )) && [[ \${words[2]} != -* ]]; then
    _describe command commands
    return
  fi
  local command=\${words[2]}
  case $command in
    -*) command=check ;;
    *) shift words; (( CURRENT-- )) ;;
  esac
    case $command in
${cases.join("\n")}
    esac
}
_headroom "$@"
`;
}

function zshOption(option: OptionPage): string {
  const about = option.about.replaceAll(/[[\]:]/g, "\\$&");
  const value = valueOf(option);
  const action =
    value === undefined ? "" : `:${(option.value ?? "").replaceAll("|", " or ")}:${zshAction(value)}`;
  const names = [option.long, ...(option.short === undefined ? [] : [option.short])];
  const group = names.length > 1 ? `'(${names.join(" ")})'{${names.join(",")}}` : names.join("");
  return names.length > 1
    ? `${group}${single(`[${about}]${action}`)}`
    : single(`${group}[${about}]${action}`);
}

function zshAction(value: Value): string {
  switch (value.kind) {
    case "words":
      return `(${value.words.join(" ")})`;
    case "directory":
      return "_files -/";
    case "file":
      return "_files";
    case "interface":
      return '(${(f)"$(ls /sys/class/net 2>/dev/null)"})';
    case "setting":
      return `(${SETTING_WORDS.join(" ")})`;
    case "source":
      return `_alternative "words:source:(${SOURCE_WORDS.join(" ")})" "files:file:_files"`;
    case "namespace":
      return '(${(f)"$(ls /run/netns 2>/dev/null)"})';
    case "free":
      return " ";
  }
}

function zshOperand(page: CommandPage, pages: readonly CommandPage[]): string[] {
  if (page.name === "help")
    return [`        ${single(`1:command:(${pages.map(({ name }) => name).join(" ")})`)}`];
  if (page.takesFile) return [`        ${single("1:capture:_files")}`];
  if (page.operandChoices.length > 0)
    return [`        ${single(`*:word:(${page.operandChoices.join(" ")})`)}`];
  return [];
}

function fishScript(pages: readonly CommandPage[]): string {
  const names = pages.map(({ name }) => name).join(" ");
  const lines = [
    "# fish completion for headroom",
    "complete -c headroom -f",
    "complete -c headroom -n __fish_use_subcommand -l version -s V -d 'print the version'",
  ];
  for (const page of pages) {
    lines.push(`complete -c headroom -n __fish_use_subcommand -a ${page.name} -d ${single(page.about)}`);
    const here = `__fish_seen_subcommand_from ${page.name}`;
    const when = page.name === "check" ? `not __fish_seen_subcommand_from ${names}; or ${here}` : here;
    for (const option of page.options)
      lines.push(`complete -c headroom -n ${single(when)} ${fishOption(option)}`);
    const operands = page.name === "help" ? names : page.operandChoices.join(" ");
    if (page.takesFile) lines.push(`complete -c headroom -n ${single(here)} -F`);
    if (operands !== "") lines.push(`complete -c headroom -n ${single(here)} -a ${single(operands)}`);
  }
  return `${lines.join("\n")}\n`;
}

function fishOption(option: OptionPage): string {
  const short = option.short === undefined ? "" : ` -s ${option.short.slice(1)}`;
  const value = valueOf(option);
  const takes = value === undefined ? "" : ` ${fishValue(value)}`;
  return `-l ${option.long.slice(2)}${short} -d ${single(option.about)}${takes}`;
}

function fishValue(value: Value): string {
  switch (value.kind) {
    case "words":
      return `-x -a ${single(value.words.join(" "))}`;
    case "directory":
      return "-x -a '(__fish_complete_directories)'";
    case "file":
      return "-r -F";
    case "interface":
      return "-x -a '(command ls /sys/class/net 2>/dev/null)'";
    case "setting":
      return `-x -a ${single(SETTING_WORDS.join(" "))}`;
    case "source":
      return `-r -F -a ${single(SOURCE_WORDS.join(" "))}`;
    case "namespace":
      return "-x -a '(ls /run/netns 2>/dev/null)'";
    case "free":
      return "-x";
  }
}

/** A word in single quotes, for all three shells. */
function single(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
