/**
 * What a reader of captures, or a socket, gives packet by packet, without copying bytes and without making an
 * object or a boxed number for each: the facts of a record stand in ONE object that the next one overwrites.
 */

/** The facts of one capture record. One object per parser; copy what must outlive the call. */
export class RecordFacts {
  /** Milliseconds since 1970 (UTC), with a fraction; 0 while no record of the capture had a time yet. */
  timeMs = 0.5;
  /** Bytes the packet had on the wire, never less than what was captured. */
  originalBytes = 0;
  /**
   * LINKTYPE number as in the file (0 null, 1 Ethernet, 101 raw IP, 113 Linux cooked v1, ...); of a socket 1,
   * 101, or 147 for what is not IP on an interface without Ethernet.
   */
  linkType = 0;
  /** Which interface captured it, counted from 0 over all sections of the file; 0 in pcap and of a socket. */
  interfaceIndex = 0;
  /**
   * Length of the frame check sequence that ends the packet ON THE WIRE, 0 when the file speaks of none. Of
   * the captured bytes those beyond `originalBytes - fcsBytes` are its (none in a packet snapped before it).
   */
  fcsBytes = 0;

  constructor() {
    // The field starts as a fraction, so that the engine keeps it as a double and never boxes it anew.
    this.timeMs = 0;
  }
}

/** Takes the records of a capture. */
export interface RecordSink {
  /**
   * One record: `capturedBytes` bytes of `bytes` from `at` on, and its facts. Both are only valid during the
   * call. Returns true to ask for a pause: this record counts as taken, and the parser gives no further one
   * before it is pushed again.
   */
  record(bytes: Uint8Array, at: number, capturedBytes: number, facts: RecordFacts): boolean;
}
