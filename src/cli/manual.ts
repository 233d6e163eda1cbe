/**
 * The manual page headroom(1), written from the command tree: `headroom help --man`, and docs/headroom.1 for
 * packages.
 */
import { type CommandPage, commandPages } from "./command-pages.ts";
import { exitCodeTexts } from "./exit-code.ts";
import { generalTopics, type Topic } from "./topics.ts";

/** The page in roff (man macros). `version` stands in its footer. */
export function manualPage(version: string): string {
  const pages = commandPages();
  const lines = [
    `.TH HEADROOM 1 "" "headroom ${version}" "System Administration"`,
    ".SH NAME",
    "headroom \\- keep the connection\\-tracking table from filling up",
    ".SH SYNOPSIS",
    ...pages.flatMap(({ name, operands }) => [
      `.B headroom ${escape(name)}`,
      `.RI [ options ] ${escape(operands.join(" "))}`.trimEnd(),
      ".br",
    ]),
    ".SH DESCRIPTION",
    "Looks at the connection\\-tracking table (nf_conntrack, and ip_conntrack on old kernels)",
    "of a Linux host or of a saved one: how full it is, what fills it, what the kernel has dropped,",
    "and what to do first. Looking changes nothing.",
    "Without a command it is",
    '.BR "headroom check" .',
    ".SH COMMANDS",
    ...pages.flatMap(commandLines),
    ...generalTopics.filter(({ title }) => title !== "Exit status").flatMap(topicSection),
    ".SH EXIT STATUS",
    ...exitCodeTexts.flatMap(({ code, check, other }) => [
      ".TP",
      `.B ${code}`,
      escape(check === other || check === "" ? other : `check: ${check}; other commands: ${other}`),
    ]),
    ".SH ENVIRONMENT",
    ...environmentTexts.flatMap(([name, text]) => [".TP", `.B ${name}`, escape(text)]),
    ".SH SEE ALSO",
    ".BR conntrack (8),",
    ".BR sysctl (8)",
  ];
  return `${lines.join("\n")}\n`;
}

const environmentTexts: readonly (readonly [string, string])[] = [
  ["NO_COLOR, FORCE_COLOR", "switch colour off or on where --color does not decide."],
  ["COLUMNS", "width of text when standard output is not a terminal."],
  ["LC_ALL, LC_CTYPE, LANG", "bars are drawn with block characters when the locale is UTF-8."],
  [
    "HEADROOM_DEBUG",
    "netlink prints every netlink message on standard error; 1 shows where a mistake happened.",
  ],
];

function commandLines(page: CommandPage): string[] {
  return [
    `.SS "${escape([page.name, ...page.operands].join(" "))}"`,
    escape(sentence(page.about)),
    ...page.options.flatMap(({ flags, about, choices }) => [
      ".TP",
      `.B ${escape(flags)}`,
      escape(sentence(choices.length === 0 ? about : `${about}: ${choices.join(", ")}`)),
    ]),
    ...page.topics.filter(({ title }) => title !== "Exit status").flatMap(topicPart),
  ];
}

function topicSection({ title, lines }: Topic): string[] {
  return [`.SH "${escape(title.toUpperCase())}"`, ...verbatim(lines)];
}

function topicPart({ title, lines }: Topic): string[] {
  return [".PP", `${escape(title)}:`, ...verbatim(lines)];
}

function verbatim(lines: readonly string[]): string[] {
  return [".PP", ".nf", ".RS 2", ...lines.map(escape), ".RE", ".fi"];
}

function sentence(text: string): string {
  return `${(text[0] ?? "").toUpperCase()}${text.slice(1)}.`;
}

/** Text as roff shows it literally. */
function escape(text: string): string {
  return text.replaceAll("\\", "\\e").replaceAll("-", "\\-").replaceAll("'", "\\(aq").replace(/^\./, "\\&.");
}
