/** Which messages of ctnetlink are flow events, by their headers. */
import { EventKind } from "../table/flow-event.ts";
import { FlowMessage, messageType, SUBSYSTEM_FLOWS } from "./ctnetlink.ts";
import { Flag } from "./netlink.ts";

const NEW_OR_UPDATE = messageType(SUBSYSTEM_FLOWS, FlowMessage.NEW);
const DESTROY = messageType(SUBSYSTEM_FLOWS, FlowMessage.DELETE);

/** An EventKind; 0 for a message that tells of no flow. NEW and UPDATE share a type; only NEW creates. */
export function eventKindOf(type: number, flags: number): number {
  if (type === DESTROY) return EventKind.DESTROY;
  if (type !== NEW_OR_UPDATE) return 0;
  return (flags & Flag.CREATE) === 0 ? EventKind.UPDATE : EventKind.NEW;
}
