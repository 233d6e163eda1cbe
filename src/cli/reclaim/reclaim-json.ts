/** Machine output of `headroom reclaim`: the values behind its text. */
import type { Census } from "../../census/census.ts";
import { censusToJson } from "../../census/census.ts";
import type { Cut, SieveCounts } from "../../reclaim/reclaim.ts";
import type { Removal, Wish } from "./reclaim-text.ts";

const SCHEMA = "headroom/reclaim/v1";

export type Outcome = "previewed" | "nothing-to-do" | "removed" | "shortened" | "interrupted" | "offered";

export interface ReclaimReport {
  outcome: Outcome;
  wish: Wish;
  counts: SieveCounts;
  census?: Census;
  removal?: Removal;
  cut?: Cut;
}

/** Plain values for JSON.stringify. */
export function reclaimToJson({ outcome, wish, counts, census, removal, cut }: ReclaimReport): object {
  return {
    schema: SCHEMA,
    outcome,
    ...(wish.filter === "" ? {} : { filter: wish.filter }),
    ...(wish.idleSeconds === undefined ? {} : { idleSeconds: wish.idleSeconds }),
    ...(wish.shortenToSeconds === undefined ? {} : { shortenToSeconds: wish.shortenToSeconds }),
    ...(cut === undefined ? {} : { cut: cut.name }),
    readFlows: counts.readFlows,
    meantFlows: counts.meantFlows,
    chosenFlows: counts.chosenFlows,
    undecidedFlows: counts.undecidedFlows,
    idleUnknownFlows: counts.idleUnknownFlows,
    alreadyShortFlows: counts.alreadyShortFlows,
    protectedFlows: counts.protectedFlows,
    ...(census === undefined ? {} : chosenToJson(census)),
    ...(removal === undefined ? {} : removalToJson(removal)),
  };
}

function chosenToJson(census: Census): object {
  const { byState, byProtocol, topServices, topSources } = censusToJson(census);
  return { chosen: { byProtocol, byState, topServices, topSources } };
}

function removalToJson({ removal, end, complete, seconds, removedPath, occupancyFlows }: Removal): object {
  return {
    doneFlows: removal.doneFlows,
    goneFlows: removal.goneFlows,
    renewedFlows: end.renewedFlows,
    refused: {
      fixedTimeout: removal.fixedFlows,
      offloaded: removal.busyFlows,
      ...Object.fromEntries(removal.failed),
    },
    overruns: removal.overruns,
    complete,
    seconds: Math.round(seconds * 1000) / 1000,
    ...(removedPath === undefined ? {} : { removedPath }),
    ...(occupancyFlows === undefined ? {} : { occupancyFlows }),
  };
}

/** `headroom reclaim --emergency --json` before a cut is chosen. */
export function cutsToJson(
  cuts: readonly Cut[],
  about: { readFlows: number; complete: boolean; occupancyFlows?: number; capacityFlows?: number },
): object {
  return {
    schema: SCHEMA,
    outcome: "offered",
    ...about,
    cuts: cuts.map(({ standardErrorFlows, ...cut }) => ({
      ...cut,
      ...(standardErrorFlows === undefined ? {} : { standardErrorFlows: Math.round(standardErrorFlows) }),
    })),
  };
}
