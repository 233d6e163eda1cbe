/**
 * Judgement: facts in, verdict out; and the sizes that belong to a host.
 *
 * `judge` runs one rule per finding code over plain facts that somebody else read. It refuses to read
 * anything itself, to guess what is missing (a rule without its facts is silent), and to lump causes: a drop
 * is a full table, a full table elsewhere, a clash, a chain too long, expectations or memory, and what is
 * left over is said to be left over.
 *
 * Invariants: a code never changes its meaning; evidence is numbers; no remedy sets a capacity without its
 * buckets; a higher occupancy never lowers the level.
 *
 * Read first: facts.ts (what there is to judge by), judge.ts (the table of rules), drops.ts (how drops are
 * taken apart), load.ts (what the load of the hash costs).
 */
export type { Facts } from "./facts.ts";
export { judge, worseLevel } from "./judge.ts";
export { type Drops, dropsApart } from "./drops.ts";
export { freeNow, keepAfterReboot, lookCloser, memoryOf, raiseCapacity, setBuckets } from "./remedies.ts";
export { amountOf, groupDigits, percent } from "./wording.ts";
export { extensionBytesOf, tableMemory, type TableMemory } from "./memory.ts";
export { tableFigures, type TableFigures } from "./table-figures.ts";
export { type CheckJson, verdictToJson } from "./check-json.ts";
export {
  bootOutlook,
  type BootOutlook,
  contradictions,
  fileDefeated,
  isDifferent,
  isWithoutEffect,
  outlookLevel,
  outlookOf,
  OUTLOOK_TROUBLES,
  ownerOf,
  type OutlookRow,
  type OutlookTrouble,
  tooEarly,
} from "./boot-outlook.ts";
export { floorsCrossed } from "./rfc-floors.ts";
export { type Forecast, type ForecastFacts, type ForecastOptions, makeForecast } from "./forecast.ts";
export {
  backtest,
  backtestOf,
  emptyRecord,
  type ForecastRecord,
  type HorizonScore,
  recordForecast,
} from "./forecast-record.ts";
export { verdictToNagios } from "./nagios.ts";
export { type ExpiryFacts, type RemainingSpan, type Uncollected, uncollectedFlows } from "./uncollected.ts";
export {
  type AgesReading,
  type Observation,
  type Predicted,
  stationaryFlows,
  type StationaryFlows,
  balancedModel,
  stationaryModel,
  type StationaryRegime,
  wantedTimeout,
} from "./stationary.ts";
export { chainLimitsOf, chainLossShare } from "./load.ts";
export type { Plan, PlanGoal, PlannedSetting } from "./plan-shape.ts";
export { propose } from "./proposal.ts";
export { type CapacityChange, planFactsOf } from "./plan-facts.ts";
export type { ServiceRelief } from "./relief.ts";
export {
  type PaperHost,
  planTraffic,
  type PresentHost,
  type Traffic,
  type TrafficPlan,
} from "./traffic-plan.ts";
export { ansiblePlaybook } from "./plan-formats/ansible.ts";
export type { FormattedPlan } from "./plan-formats/format-lines.ts";
export { kubeProxyConfiguration } from "./plan-formats/kube-proxy.ts";
export { sysctlFile } from "./plan-formats/sysctl-file.ts";
export { type GoneFlows, type StateChange, type WantedChange, whatIf, type WhatIf } from "./whatif.ts";
export type { Break } from "./whatif-breaks.ts";
export type { WhatIfFacts } from "./whatif-facts.ts";
export { whatIfCurve, type WhatIfCurve } from "./whatif-curve.ts";
export { whatIfToJson } from "./whatif-json.ts";
export { LEAST_LOSS_SHARE, type TableState } from "./whatif-table.ts";
