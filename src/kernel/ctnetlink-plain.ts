/**
 * The parts of flow messages that are most of every table and that every kernel writes alike: both tuples
 * of a protocol with ports, and what is known of TCP. Where headers and values of these stand is constant,
 * and constants are what the compiler makes straight code of; comparing by a list of places takes three
 * times as long.
 *
 * A header is a word: length of the attribute with its header, type in the upper half with 0x8000 for
 * "holds attributes". A part that differs in any bit is not plain, and is read by the places that walking
 * it gave.
 */

/** The words from the start of the message at which the headers of plain tuples stand. */
export const PLAIN4_WORDS: readonly number[] = [5, 6, 7, 9, 11, 12, 14, 16, 18, 19, 20, 22, 24, 25, 27, 29];
export const PLAIN6_WORDS: readonly number[] = [5, 6, 7, 12, 17, 18, 20, 22, 24, 25, 26, 31, 36, 37, 39, 41];
/** The same for TCP's part, from its first header. */
export const PLAIN_TCP_WORDS: readonly number[] = [0, 1, 2, 4, 6, 8, 10];

/** Bytes from the start of the message at which the values of plain tuples stand. */
export const Plain4 = {
  protocol: 52,
  originalSource: 32,
  originalDestination: 40,
  originalSourcePort: 60,
  originalDestinationPort: 68,
  replySource: 84,
  replyDestination: 92,
  replySourcePort: 112,
  replyDestinationPort: 120,
} as const;

export const Plain6 = {
  protocol: 76,
  originalSource: 32,
  originalDestination: 52,
  originalSourcePort: 84,
  originalDestinationPort: 92,
  replySource: 108,
  replyDestination: 128,
  replySourcePort: 160,
  replyDestinationPort: 168,
} as const;

/**
 * Whether the message at `word` begins with plain tuples of IPv4: twice TUPLE { IP { V4_SRC, V4_DST },
 * PROTO { NUM, SRC_PORT, DST_PORT } }. The caller has made sure that the message is that long.
 */
export function isPlain4(words: Uint32Array, word: number): boolean {
  return (
    (((words[word + 5] as number) ^ 0x8001_0034) |
      ((words[word + 6] as number) ^ 0x8001_0014) |
      ((words[word + 7] as number) ^ 0x0001_0008) |
      ((words[word + 9] as number) ^ 0x0002_0008) |
      ((words[word + 11] as number) ^ 0x8002_001c) |
      ((words[word + 12] as number) ^ 0x0001_0005) |
      ((words[word + 14] as number) ^ 0x0002_0006) |
      ((words[word + 16] as number) ^ 0x0003_0006) |
      ((words[word + 18] as number) ^ 0x8002_0034) |
      ((words[word + 19] as number) ^ 0x8001_0014) |
      ((words[word + 20] as number) ^ 0x0001_0008) |
      ((words[word + 22] as number) ^ 0x0002_0008) |
      ((words[word + 24] as number) ^ 0x8002_001c) |
      ((words[word + 25] as number) ^ 0x0001_0005) |
      ((words[word + 27] as number) ^ 0x0002_0006) |
      ((words[word + 29] as number) ^ 0x0003_0006)) ===
    0
  );
}

/** The same of IPv6. */
export function isPlain6(words: Uint32Array, word: number): boolean {
  return (
    (((words[word + 5] as number) ^ 0x8001_004c) |
      ((words[word + 6] as number) ^ 0x8001_002c) |
      ((words[word + 7] as number) ^ 0x0003_0014) |
      ((words[word + 12] as number) ^ 0x0004_0014) |
      ((words[word + 17] as number) ^ 0x8002_001c) |
      ((words[word + 18] as number) ^ 0x0001_0005) |
      ((words[word + 20] as number) ^ 0x0002_0006) |
      ((words[word + 22] as number) ^ 0x0003_0006) |
      ((words[word + 24] as number) ^ 0x8002_004c) |
      ((words[word + 25] as number) ^ 0x8001_002c) |
      ((words[word + 26] as number) ^ 0x0003_0014) |
      ((words[word + 31] as number) ^ 0x0004_0014) |
      ((words[word + 36] as number) ^ 0x8002_001c) |
      ((words[word + 37] as number) ^ 0x0001_0005) |
      ((words[word + 39] as number) ^ 0x0002_0006) |
      ((words[word + 41] as number) ^ 0x0003_0006)) ===
    0
  );
}

/**
 * Whether PROTOINFO { TCP { STATE, WSCALE_ORIGINAL, WSCALE_REPLY, FLAGS_ORIGINAL, FLAGS_REPLY } } begins at
 * `word`.
 */
export function isPlainTcp(words: Uint32Array, word: number): boolean {
  return (
    (((words[word + 0] as number) ^ 0x8004_0030) |
      ((words[word + 1] as number) ^ 0x8001_002c) |
      ((words[word + 2] as number) ^ 0x0001_0005) |
      ((words[word + 4] as number) ^ 0x0002_0005) |
      ((words[word + 6] as number) ^ 0x0003_0005) |
      ((words[word + 8] as number) ^ 0x0004_0006) |
      ((words[word + 10] as number) ^ 0x0005_0006)) ===
    0
  );
}
