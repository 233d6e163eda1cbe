/**
 * A plan as a playbook for Ansible, of builtin modules alone: ansible.posix (its sysctl) is a collection that
 * a plain installation lacks. The module is loaded now and at boot, the values are in a file of sysctl.d, and
 * that file is applied when it changes.
 *
 * Sources: ansible.builtin.copy, .command of ansible-core 2.14; a text is quoted as YAML 1.1 wants it.
 */
import {
  commentText,
  type FormattedPlan,
  hashsizeOf,
  headLines,
  isBeforeSystemd,
  moduleOf,
} from "./format-lines.ts";
import { sysctlFile } from "./sysctl-file.ts";

const SYSCTL_FILE = "/etc/sysctl.d/90-headroom.conf";

/** Lines of the playbook. */
export function ansiblePlaybook(formatted: FormattedPlan): string[] {
  const module = moduleOf(formatted.host);
  const hashsize = hashsizeOf(formatted);
  const head = headLines(formatted).map((line) => `# ${commentText(line)}`);
  if (formatted.plan.settings.length === 0) return ["---", ...head, "[]"];
  return [
    "---",
    ...head,
    "# ansible-playbook -i INVENTORY --limit HOSTS headroom.yml; --check shows what would change.",
    ...(isBeforeSystemd(formatted.host)
      ? ["# It lasts until the next boot: hosts so old read no modules-load.d (see --format sysctl.conf)."]
      : []),
    "- name: Connection tracking",
    "  hosts: all",
    "  become: true",
    "  tasks:",
    ...fileTask("The tracker is loaded at boot, before settings are read", {
      path: "/etc/modules-load.d/headroom.conf",
      lines: [module],
    }),
    ...(hashsize === undefined ? [] : hashsizeTasks(module, hashsize)),
    ...commandTask("The tracker is loaded now", ["modprobe", module], ["changed_when: false"]),
    ...fileTask("Its settings are kept", {
      path: SYSCTL_FILE,
      lines: sysctlFile(formatted, "sysctl.d"),
      register: "headroom_settings",
    }),
    ...commandTask(
      "Its settings are in force",
      ["sysctl", "-p", SYSCTL_FILE],
      ["when: headroom_settings is changed"],
    ),
  ];
}

function hashsizeTasks(module: string, hashsize: number): string[] {
  const parameter = `/sys/module/${module}/parameters/hashsize`;
  return [
    ...fileTask("Its buckets are given at load", {
      path: "/etc/modprobe.d/headroom.conf",
      lines: [`options ${module} hashsize=${hashsize}`],
      register: "headroom_buckets",
    }),
    ...commandTask(
      "Its buckets are given now, where it is loaded already",
      ["sh", "-c", `test ! -e ${parameter} || echo ${hashsize} > ${parameter}`],
      ["when: headroom_buckets is changed"],
    ),
  ];
}

interface FileTask {
  path: string;
  lines: readonly string[];
  register?: string;
}

function fileTask(name: string, { path, lines, register }: FileTask): string[] {
  return [
    `    - name: ${quoted(name)}`,
    "      ansible.builtin.copy:",
    `        dest: ${path}`,
    '        mode: "0644"',
    "        content: |",
    // An empty line needs no indentation, and trailing blanks would be part of the text.
    ...lines.map((line) => (line === "" ? "" : `          ${escapeTemplate(line)}`)),
    ...(register === undefined ? [] : [`      register: ${register}`]),
  ];
}

function commandTask(name: string, argv: readonly string[], more: readonly string[]): string[] {
  return [
    `    - name: ${quoted(name)}`,
    "      ansible.builtin.command:",
    "        argv:",
    ...argv.map((word) => `          - ${quoted(word)}`),
    ...more.map((line) => `      ${line}`),
  ];
}

/** A text in single quotes. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/** What a playbook says is a template: braces of ours are no expressions. */
function escapeTemplate(text: string): string {
  return text.replaceAll(/\{(?=[{%#])/g, "{ ");
}
