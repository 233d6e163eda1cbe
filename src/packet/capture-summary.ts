/** What is known of a capture file besides its records. */

/** One interface of a capture; a pcap file has exactly one. */
export interface CaptureInterface {
  /** LINKTYPE number. */
  linkType: number;
  /** Longest part of a packet that was captured; missing when the file names no bound. */
  snapLengthBytes?: number;
  /** As the capturing host called it (option if_name of pcapng). */
  name?: string;
  /** Records it captured. */
  records: number;
}

/** Blocks of pcapng that hold no packet and no interface, counted and kept aside. */
export interface OtherBlocks {
  /** Block type; missing for the sum of further types, once more than 256 different ones were seen. */
  type?: number;
  /** What it is, in words for people: `name resolution`, `unknown`. */
  name: string;
  count: number;
}

/** Where and why the reading of a capture stopped before its end. */
export interface CaptureBreak {
  /** `cut-off`: the file ends inside of a record or block; `damaged`: it holds what cannot be. */
  kind: "cut-off" | "damaged";
  /** Offset, in the unpacked stream, of the record or block that could not be read. */
  offsetBytes: number;
  /** A piece of a sentence: `a record of 60 bytes is cut off after 12`. */
  reason: string;
}

export interface CaptureSummary {
  /** For people: `pcap, microseconds, little-endian`. */
  format: string;
  /** Records given to the sink. */
  records: number;
  /** Records of which less was captured than was on the wire. */
  snappedRecords: number;
  /** Records without a time (simple packet blocks): they carry the time of the record before. */
  timelessRecords: number;
  /** Records said to be longer in the file than on the wire; their length on the wire is corrected. */
  oddLengthRecords: number;
  /** In the order of RecordFacts.interfaceIndex. */
  interfaces: readonly CaptureInterface[];
  /** Link types that records came with, ascending. */
  linkTypes: readonly { linkType: number; records: number }[];
  /** Ascending by type; always empty for pcap. */
  otherBlocks: readonly OtherBlocks[];
  /** Missing when the capture was read to its end. */
  break?: CaptureBreak;
}
