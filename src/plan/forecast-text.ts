/** What a forecast goes by, in words for people. */
import type { Surge } from "./forecast-surge.ts";
import { durationWords, type Way } from "./forecast-ways.ts";

/** A way that counts less is not the whole of a forecast. */
const MOSTLY_SHARE = 0.6;

export interface HowFacts {
  spanSeconds: number;
  surge: Surge | undefined;
  foremost: { way: Way; share: number } | undefined;
  arrivals: { perSecond: number } | undefined;
}

/** One or two sentences. */
export function howText(facts: HowFacts): string {
  const { spanSeconds, surge, foremost } = facts;
  const known = `the last ${durationWords(spanSeconds)}`;
  const others = (foremost?.share ?? 1) < MOSTLY_SHARE ? ", with what other ways foretell" : "";
  const by = foremost === undefined ? `By ${known}.` : `By ${known}: ${foremost.way.how}${others}.`;
  return surge === undefined ? by : `${surgeText(surge, facts)} ${by}`;
}

function surgeText(surge: Surge, { arrivals }: HowFacts): string {
  const rise =
    `Occupancy has been rising for ${durationWords(surge.ageSeconds)} as nothing before foretold, ` +
    `now by ${rate(surge.perSecond)} flows/s`;
  const come = arrivals === undefined ? "" : ` (${rate(arrivals.perSecond)} new flows/s)`;
  const { holdingSeconds, holdingBy } = surge;
  if (holdingSeconds === undefined) return `${rise}${come}; hardly any of these flows has ended yet.`;
  const from = holdingBy === "events" ? "by their events" : "by how the rise bends";
  const ends = Math.round(surge.perSecond * holdingSeconds).toLocaleString("en");
  return (
    `${rise}${come}; each is held for ${durationWords(holdingSeconds)} (${from}), ` +
    `so that ${ends} more are to come if arrivals go on.`
  );
}

function rate(perSecond: number): string {
  return perSecond >= 10 ? Math.round(perSecond).toLocaleString("en") : perSecond.toFixed(1);
}
