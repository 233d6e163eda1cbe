/**
 * What a protocol says of a packet of a flow, as one number, because it is asked for every packet: zero or
 * more is "accepted, and the flow now expires after so many jiffies"; the others are below.
 *
 * Every protocol of the model is two functions over the words of a flow:
 *   xNew(rows, flow, batch, row, ...): whether a packet nobody knows may begin a flow; sets its first state;
 *   xPacket(rows, flow, direction, batch, row, ...): an Answer, for the first packet too, right after xNew.
 * They set the state and ASSURED; the tracker sets SEEN_REPLY, expiry and counters, and removes flows.
 */
export const Answer = {
  /** INVALID: the packet changes nothing and belongs to no flow. A new flow is not made. */
  INVALID: -1,
  /** Accepted with the flow's class; neither expiry nor counters change (but SEEN_REPLY does). */
  ACCEPT: -2,
  /** The flow is over: remove it and take this packet as one that nobody knows. */
  REOPEN: -3,
  /** Accepted, and the flow is removed at once. */
  ACCEPT_AND_REMOVE: -4,
  /** The tracker drops the packet. */
  DROP: -5,
} as const;
