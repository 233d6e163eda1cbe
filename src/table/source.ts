/**
 * Where flows come from: the running kernel, a saved file, and later the model. All give the same
 * columns; nothing downstream can tell which it was, except by the words here.
 */
import type { FlowColumns } from "./columns.ts";
import type { Oddities } from "./oddities.ts";

/** One pass over a table. */
export interface FlowReading {
  /** `netlink`, `procfs`, `file`: fixed names of machine output. */
  readonly source: string;
  /** For people: `ctnetlink`, `/proc/net/nf_conntrack`, `saved.txt (conntrack -o extended)`. */
  readonly origin: string;
  /** Counts of what was odd; final when the last batch has come. */
  readonly oddities: Oddities;
  /**
   * The batch is reused: fold it before asking for the next. Stopping early (break) releases the
   * source.
   */
  batches(): AsyncIterable<FlowColumns> | Iterable<FlowColumns>;
  /**
   * How many milliseconds ago the kernel made the present batch, at most: what happened to a flow since
   * is not in it. Absent where that means nothing.
   */
  ageMs?(): number;
  /** Whether all of the table was read; meaningful when the last batch has come. */
  readonly complete: boolean;
}
