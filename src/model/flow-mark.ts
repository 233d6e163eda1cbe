/** Marks of the model in a flow's status word, above the kernel's sixteen bits. */
export const FlowMark = {
  /** Has counters: nf_conntrack_acct was 1 when it began. */
  COUNTED: 1 << 24,
  /** Tells when it began: nf_conntrack_timestamp was 1 then. */
  STAMPED: 1 << 25,
  /** Is read by a helper, or was expected: somebody must be told when it goes. */
  RELATED_TO: 1 << 26,
} as const;
