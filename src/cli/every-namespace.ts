/**
 * The network namespaces of a host, one after the other. One that cannot be entered or read is noted and left
 * out: the others are worth seeing.
 */
import type { NamespaceFacts } from "../table/host.ts";
import type { Unseen } from "../table/unseen.ts";
import type { Context } from "./context.ts";
import { openPlace, type Place } from "./flow-source.ts";
import type { FlowOptions } from "./options.ts";
import { isKernelError, refusal } from "./refusal.ts";

export interface NamespacesVisit {
  /** Called with each namespace and what it is called in output. */
  visit: (there: Place, label: string) => Promise<void>;
  /** Nothing more is wanted. */
  isOver: () => boolean;
}

export interface VisitedNamespaces {
  /** Namespaces that were visited to the end. */
  seen: number;
  unseen: readonly Unseen[];
  /** Why the first was not seen, when it was tried. */
  error?: Error;
}

/**
 * Visits `namespaces` of `place`, which is open already and stands for the program's own. Errors of others
 * than the kernel's door pass through.
 */
export async function visitNamespaces(
  context: Context,
  options: FlowOptions,
  place: Place,
  namespaces: readonly NamespaceFacts[],
  { visit, isOver }: NamespacesVisit,
): Promise<VisitedNamespaces> {
  const unseen: Unseen[] = [];
  let seen = 0;
  let first: Error | undefined;
  // A listing that was named has the flows of one namespace, not of each.
  const listed = place.flows.kind === "file" ? namespaces.filter(({ own }) => own) : namespaces;
  for (const facts of listed) {
    if (isOver()) break;
    const label = labelOf(facts);
    const target = facts.name ?? facts.pid?.toString();
    if (!facts.own && target === undefined) {
      unseen.push({
        what: flowsIn(facts),
        why: "it has no name and no process to enter it by",
        cause: "missing",
      });
      continue;
    }
    let there: Place | undefined;
    try {
      there = facts.own ? place : await openPlace(context, optionsIn(options, target));
      await visit(there, label);
      seen += 1;
    } catch (error) {
      if (!isKernelError(error)) throw error;
      first ??= error;
      unseen.push(refusal(flowsIn(facts), error));
    } finally {
      if (!facts.own) there?.host?.close();
    }
  }
  return { seen, unseen, ...(first === undefined ? {} : { error: first }) };
}

function labelOf({ name, owner, own, inode }: NamespaceFacts): string {
  return name ?? owner ?? (own ? "this" : String(inode ?? "?"));
}

function optionsIn({ allNetns: _all, ...rest }: FlowOptions, target: string | undefined): FlowOptions {
  return target === undefined ? rest : { ...rest, netns: target };
}

function flowsIn(facts: NamespaceFacts): string {
  return facts.own ? "flows of this network namespace" : `flows of network namespace ${labelOf(facts)}`;
}
