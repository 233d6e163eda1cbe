/**
 * Other programs that read a capture and track its flows, as the model's benchmark runs them: none sends
 * anything, and what they write goes into a directory that is thrown away.
 */

/** A command that is timed from start to end. */
export interface Command {
  readonly name: string;
  readonly program: string;
  readonly args: readonly string[];
}

/** Files a command may use. */
export interface Places {
  readonly capture: string;
  /** An empty directory. */
  readonly directory: string;
}

/**
 * The one the promise is about, with the options it needs to stay in the foreground and no others: it holds
 * 8192 flows at a time and gives older ones up.
 */
export function softflowd({ capture, directory }: Places): Command {
  const args = ["-r", capture, "-d", "-c", "none", "-p", `${directory}/softflowd.pid`];
  return { name: "softflowd -r", program: "softflowd", args };
}

/** Those whose figures are told and no more. */
export function otherRivals(places: Places): readonly Command[] {
  const { capture, directory } = places;
  const plain = softflowd(places);
  return [
    // As many flows as the capture has: what it costs it to give none up.
    { ...plain, name: "softflowd -r, all flows kept", args: [...plain.args, "-m", "4000000"] },
    { name: "nfpcapd -r", program: "nfpcapd", args: ["-r", capture, "-w", directory] },
    { name: "argus -r", program: "argus", args: ["-r", capture, "-w", "/dev/null"] },
  ];
}

/** Takes ten times as long as the others. */
export function slowRival({ capture }: Places): Command {
  return { name: "tshark -q -z conv,tcp", program: "tshark", args: ["-q", "-z", "conv,tcp", "-r", capture] };
}
