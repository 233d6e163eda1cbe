/**
 * Namespaces in words and commands. Names come from the file system and from process names: what goes into a
 * command is quoted.
 */
import type { Remedy } from "../../table/finding.ts";
import type { NamespaceFacts } from "../../table/host.ts";
import { shellWord } from "../../table/shell-word.ts";

/** `namespace blue (docker:4f1c)`, `namespace of nginx.service`, `namespace 4026532281`. */
export function namespaceText(namespace: NamespaceFacts): string {
  const { name, owner, inode, initial } = namespace;
  if (initial) return "the initial namespace";
  if (name !== undefined) return `namespace ${name}${owner === undefined ? "" : ` (${owner})`}`;
  return owner === undefined ? `namespace ${inode}` : `namespace of ${owner}`;
}

/** Looks into a namespace that has a name or a process; nothing to type for one that has neither. */
export function namespaceCommand(namespace: NamespaceFacts): Remedy | undefined {
  const handle = namespace.name ?? namespace.pid;
  if (handle === undefined) return undefined;
  const text = `See what fills the table of ${namespaceText(namespace)}.`;
  return { text, command: `headroom explain --netns ${shellWord(String(handle))}` };
}
