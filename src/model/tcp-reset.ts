/**
 * Resets (RST): when one is believed at once, when it has to pass the windows first, and what packets that
 * would close a flow do when they are out of window.
 */
import { Status } from "../table/status.ts";
import { TcpState } from "../table/state.ts";
import { Flow } from "./flow-rows.ts";
import type { KernelRules } from "./generation.ts";
import { TcpKind } from "./tcp-automaton.ts";
import { SideFlag, type TcpSegment } from "./tcp-segment.ts";
import type { TcpSettings } from "./tcp-settings.ts";

/** What becomes of a RST: INVALID, or these bits. */
export const Reset = {
  INVALID: -1,
  /** The windows are not asked. */
  BELIEVED: 1,
  /** The state stays: the other side may answer that it is still there (RFC 5961, section 3.2). */
  DOUBTED: 2,
} as const;

/** Judges a RST by its numbers. */
export function judgeReset(segment: TcpSegment, settings: TcpSettings, rules: KernelRules): number {
  if (rules.resetOfClosingIsBelieved && isClosing(segment.state)) return Reset.BELIEVED;
  const { lastKind, sequence, words } = segment;
  let doubted = 0;
  const outdated = rules.resetOfIgnoredSynCloses && lastKind === TcpKind.SYN;
  const ackKnown = ((segment.bytes[segment.receiverFlags] as number) & SideFlag.MAX_ACK_SET) !== 0;
  if (ackKnown && !outdated) {
    const established = segment.state === TcpState.ESTABLISHED && segment.hasStatus(Status.ASSURED);
    // Number 0 is what a stack without this flow sends, to a packet the tracker let by.
    if (rules.resetOfIgnoredSynCloses && sequence === 0 && !established) return 0;
    const wanted = words[segment.receiver + Flow.MAX_ACK] as number;
    const tolerated = settings.ignoreInvalidReset && rules.canIgnoreInvalidReset;
    if (((sequence - wanted) | 0) < 0 && !tolerated) return Reset.INVALID;
    if (!established || sequence === wanted || followsOwnAck(segment)) return 0;
    doubted = Reset.DOUBTED;
  }
  return answersIgnored(segment) || answersChallenge(segment, rules) ? doubted | Reset.BELIEVED : doubted;
}

/**
 * A packet was INVALID. When both sides of an ASSURED flow send a FIN or RST that is, one after the other,
 * the flow is over although its numbers say otherwise: what is left of its timeout becomes that of
 * unacknowledged data, unless little is left or that would lengthen it.
 */
export function noteMisplacedClose(segment: TcpSegment, nowJiffies: number, settings: TcpSettings): void {
  if (!isClose(segment.kind) || !segment.hasStatus(Status.ASSURED)) return;
  if (!isClose(segment.lastKind) || segment.lastDirection === segment.direction) {
    segment.noteKind();
    return;
  }
  const at = segment.word + Flow.EXPIRES;
  const leftJiffies = ((segment.words[at] as number) - nowJiffies) | 0;
  if (leftJiffies < settings.shortenedFrom || leftJiffies < settings.unacknowledgedTimeout) return;
  segment.words[at] = nowJiffies + settings.unacknowledgedTimeout;
}

function isClose(kind: number): boolean {
  return kind === TcpKind.FIN || kind === TcpKind.RST;
}

/** Whether a state is one of those that early drop may take although ASSURED: nobody minds its windows. */
function isClosing(state: number): boolean {
  return state >= TcpState.FIN_WAIT && state <= TcpState.CLOSE;
}

/** It is the end of its sender's last ACK or data, so the sender is where it says. */
function followsOwnAck(segment: TcpSegment): boolean {
  return (
    segment.lastKind === TcpKind.ACK &&
    segment.lastDirection === segment.direction &&
    segment.lastEnd === segment.sequence
  );
}

/** It answers a SYN that was let by, or the ACK of a flow that is open on one side only. */
function answersIgnored(segment: TcpSegment): boolean {
  if (segment.ack !== segment.lastEnd) return false;
  const { lastKind } = segment;
  if (lastKind === TcpKind.SYN) {
    return segment.lastDirection !== segment.direction && segment.hasStatus(Status.SEEN_REPLY);
  }
  return lastKind === TcpKind.ACK && !segment.hasStatus(Status.ASSURED);
}

/** It answers an ACK that came in place of a SYN/ACK: the server still has a flow (RFC 5961, section 4). */
function answersChallenge(segment: TcpSegment, rules: KernelRules): boolean {
  return (
    rules.challengeInSynSent &&
    segment.state === TcpState.SYN_SENT &&
    segment.lastKind === TcpKind.ACK &&
    segment.lastDirection === 1 &&
    segment.sequence === segment.lastAck
  );
}
