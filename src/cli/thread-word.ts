/**
 * The word behind `explain` in the command line of a thread, which is the program once more
 * (listing-ahead.ts). No real command line has such a word: the kernel ends words at the NUL.
 */
export const THREAD_WORD = "\0read-listing";

/** First words of the threads of `replay` (replay-run.ts): one reads packets, others track them. */
export const READ_PACKETS_WORD = "\0read-packets";
export const TRACK_PACKETS_WORD = "\0track-packets";
