/**
 * Flows that belong together: the control connection a helper reads, what it makes expected, and the flows
 * that came because of it. The tracker asks here, and only for flows that carry the RELATED_TO mark.
 */
import type { PacketColumns } from "../packet/packet.ts";
import { Status } from "../table/status.ts";
import type { Chains } from "./chains.ts";
import { Expectations } from "./expectations.ts";
import { FlowMark } from "./flow-mark.ts";
import { Flow, FLOW_WORDS } from "./flow-rows.ts";
import { FtpHelper, isFtpControl } from "./ftp.ts";
import type { TrackerSettings } from "./tracker-settings.ts";

export class Relations {
  readonly expectations: Expectations;
  /** New flows that had been expected. */
  expectedFlows = 0;
  readonly #chains: Chains;
  readonly #settings: TrackerSettings;
  readonly #ftp: FtpHelper;
  /** Control connections get the helper by a rule. */
  readonly #isFtpGiven: boolean;

  constructor(chains: Chains, settings: TrackerSettings, isFtpGiven: boolean) {
    this.#chains = chains;
    this.#settings = settings;
    this.expectations = new Expectations(settings.expectedFlowsMax);
    this.#ftp = new FtpHelper(this.expectations, settings.hz, settings.rules);
    this.#isFtpGiven = isFtpGiven;
    chains.onRelatedFlow = (flow) => {
      this.#forget(flow);
    };
  }

  /** Whether anything may be expected or read: without it there is nothing to ask. */
  get isInUse(): boolean {
    return this.#isFtpGiven || this.#settings.values.nf_conntrack_helper === 1;
  }

  /** A flow that a packet begins, not linked yet: was it expected? Sets EXPECTED. */
  claim(flow: number, batch: PacketColumns, row: number, now: number): void {
    if (this.expectations.count === 0 || !this.expectations.claim(flow, batch, row, now)) return;
    this.expectedFlows += 1;
    this.#mark(flow, Status.EXPECTED | FlowMark.RELATED_TO);
  }

  /** A flow that is about to be confirmed: has it a helper? */
  attach(flow: number, batch: PacketColumns, row: number): void {
    const port = batch.destinationDiscriminator[row] as number;
    if (!isFtpControl(batch.protocol[row] as number, port)) return;
    this.#ftp.attach(flow);
    // By itself (nf_conntrack_helper) the kernel assigns helpers without saying so in the status.
    this.#mark(flow, FlowMark.RELATED_TO | (this.#isFtpGiven ? Status.HELPER : 0));
  }

  #mark(flow: number, bits: number): void {
    const at = flow * FLOW_WORDS + Flow.STATUS;
    const { words } = this.#chains.rows;
    words[at] = (words[at] as number) | bits;
  }

  /** An accepted packet of class ESTABLISHED; false when the helper drops it. */
  packet(flow: number, direction: number, batch: PacketColumns, row: number, now: number): boolean {
    if (!this.#ftp.has(flow)) return true;
    this.expectations.capacity = this.#settings.expectedFlowsMax;
    return this.#ftp.packet(this.#chains.rows, flow, direction, batch, row, now);
  }

  /** A flow goes. Its count stays until the flows that came because of it are gone too. */
  #forget(flow: number): void {
    const heldBefore = this.expectations.held;
    this.#ftp.forget(flow);
    this.expectations.forget(flow);
    this.#chains.occupancyFlows += this.expectations.held - heldBefore;
  }
}
