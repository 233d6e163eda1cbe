/**
 * The machine form of a preview: plain numbers, names with their units, what is unknown left out. Pure.
 */
import { settingName } from "../table/settings.ts";
import type { StateChange, WhatIf } from "./whatif.ts";

/**
 * A preview for JSON.stringify: the fields of `headroom whatif --json`. Names are fixed; others may be added.
 */
export function whatIfToJson(answer: WhatIf): Record<string, unknown> {
  const { before, immediately, after, uncollected, breaks, table } = answer;
  const { goneFlows, goneTranslatedFlows, unknownFlows, flows, ...times } = immediately;
  return {
    changes: answer.changes.map(({ key, ...values }) => ({ key: settingName(key), ...values })),
    before: { ...before, flows: round(before.flows) },
    immediately: {
      flows: round(flows),
      goneFlows: round(goneFlows),
      goneTranslatedFlows: round(goneTranslatedFlows),
      unknownFlows: round(unknownFlows),
      ...times,
    },
    after: {
      flows: round(after.flows),
      standardErrorFlows: after.standardErrorFlows,
      lowFlows: round(after.lowFlows),
      highFlows: round(after.highFlows),
      occupancyFlows: round(after.flows + uncollected.meanFlows),
      extrapolatedFlows: round(extrapolatedFlows(answer)),
      balanceFlows: round(answer.stationary.regimes.reduce((sum, { balanceFlows }) => sum + balanceFlows, 0)),
      peakOccupancyFlows: round(after.flows + uncollected.peakFlows),
    },
    leftoverFlows: round(answer.leftoverFlows),
    untoldFlows: round(answer.untoldFlows),
    ...(answer.reachedAfterSeconds === undefined ? {} : { reachedAfterSeconds: answer.reachedAfterSeconds }),
    byState: answer.byState.map(stateToJson),
    breaks: breaks.map(({ key, flows: broken, ...rest }) => ({
      ...rest,
      flows: round(broken),
      ...(key === undefined ? {} : { key: settingName(key) }),
    })),
    silentServices: answer.silentServices.map(({ flows: silent, translatedFlows, ...service }) => ({
      ...service,
      flows: round(silent * answer.silentScale),
      translatedFlows: round(translatedFlows * answer.silentScale),
    })),
    table,
    notPreviewed: answer.notPreviewed.map(({ key, why }) => ({ key: settingName(key), why })),
  };
}

/** Of the long run, what stands for flows of which nobody knows how many stay. */
function extrapolatedFlows({ leftoverFlows, untoldFlows }: WhatIf): number {
  return leftoverFlows / 2 + untoldFlows;
}

function stateToJson(change: StateChange): Record<string, unknown> {
  const { protocol, state, key, beforeFlows, goneFlows, flows, lowFlows, highFlows, ...rest } = change;
  return {
    protocol,
    ...(state === undefined ? {} : { state }),
    ...(key === undefined ? {} : { key: settingName(key) }),
    before: round(beforeFlows),
    after: round(flows),
    goneFlows: round(goneFlows),
    lowFlows: round(lowFlows),
    highFlows: round(highFlows),
    ...rest,
  };
}

/** Flows are whole; a tenth is kept so that small rates do not vanish. */
function round(flows: number): number {
  return Math.round(flows * 10) / 10;
}
