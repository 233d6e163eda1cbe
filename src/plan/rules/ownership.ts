/**
 * Who sets the values besides the operator's own files: services that do so again and again, by their files
 * where those were read, else by values that look like theirs.
 */
import type { Definition } from "../../table/boot.ts";
import type { Finding, Remedy } from "../../table/finding.ts";
import { fileDefeated, type OutlookRow } from "../boot-outlook.ts";
import type { Facts } from "../facts.ts";
import { tableFigures, underPressure } from "../table-figures.ts";
import { isKubeProxySignature } from "./kube-proxy-signature.ts";
import { outlookOf, placeOf, shortName, valueText } from "./lasting.ts";
import { ownerName, ownerRemedy } from "./owner-remedy.ts";
import { evidenceOf } from "./rule.ts";

/** tuned's openshift and atomic profiles set both sizes to this. */
const TUNED_FLOWS = 1_048_576;

/**
 * `set-by-another-owner`: a service sets a value again and again. A warning where a file of the host wants
 * another one, which has no effect; otherwise said only while the table is short of room, when somebody is
 * about to change it.
 */
export function setByAnotherOwner(facts: Facts): readonly Finding[] {
  const rows = outlookOf(facts)?.rows ?? [];
  const defeated = rows.flatMap((row) => defeatOf(row));
  const [first] = defeated;
  if (first !== undefined) return [defeatFinding(first, defeated.length)];
  if (!underPressure(facts)) return [];
  const owned = rows.find((row) => row.key === "nf_conntrack_max" && isOwned(row));
  if (owned?.winner !== undefined) return [ownedFinding(facts, owned, owned.winner)];
  const owner = likelyOwner(facts);
  return owner === undefined ? [] : [likelyFinding(facts, owner)];
}

interface Defeat {
  row: OutlookRow;
  winner: Definition;
  file: Definition;
}

function defeatOf(row: OutlookRow): readonly Defeat[] {
  const file = fileDefeated(row);
  return file === undefined || row.winner === undefined ? [] : [{ row, winner: row.winner, file }];
}

function defeatFinding({ row, winner, file }: Defeat, count: number): Finding {
  const name = shortName(row.key);
  const owner = ownerName(winner.reader);
  const own = winner.value === undefined ? winner.text : valueText(row.key, winner.value);
  const wanted = file.value === undefined ? file.text : valueText(row.key, file.value);
  const more = count > 1 ? `, and ${count - 1} more` : "";
  return {
    code: "set-by-another-owner",
    level: "warning",
    title: `Set by ${owner}: ${name} is ${own}, not the ${wanted} of a file${more}`,
    evidence: evidenceOf({
      owner,
      key: row.key,
      value: winner.value,
      path: placeOf(winner),
      wanted: file.value,
      wantedPath: placeOf(file),
      settings: count,
    }),
    meaning:
      `${placeOf(file)} has no effect: ${owner} sets the value whenever it starts (${placeOf(winner)}). ` +
      "Change it there, or let it leave the value alone.",
    remedy: [ownerRemedy(winner)],
  };
}

function isOwned({ definitions }: OutlookRow): boolean {
  return definitions.some(({ fate }) => fate === "sets-again");
}

function ownedFinding(facts: Facts, { key }: OutlookRow, winner: Definition): Finding {
  const { capacityFlows, bucketCount } = tableFigures(facts);
  const owner = ownerName(winner.reader);
  return {
    code: "set-by-another-owner",
    level: "ok",
    title: `Set by ${owner}, which will set it again: ${shortName(key)}`,
    evidence: evidenceOf({ owner, path: placeOf(winner), value: winner.value, capacityFlows, bucketCount }),
    meaning: `What is changed by hand lasts until ${owner} starts again. Change ${placeOf(winner)}.`,
    remedy: [ownerRemedy(winner)],
  };
}

interface LikelyOwner {
  name: string;
  remedy: Remedy;
}

function likelyFinding(facts: Facts, owner: LikelyOwner): Finding {
  const { capacityFlows, bucketCount } = tableFigures(facts);
  return {
    code: "set-by-another-owner",
    level: "ok",
    title: `The values look like those of ${owner.name}, which will set them again`,
    evidence: evidenceOf({ owner: owner.name, capacityFlows, bucketCount, cpus: facts.host.cpus }),
    meaning: `What is changed by hand lasts until ${owner.name} starts again. Change it there.`,
    remedy: [owner.remedy],
  };
}

function likelyOwner(facts: Facts): LikelyOwner | undefined {
  const { capacityFlows, bucketCount } = tableFigures(facts);
  if (isKubeProxySignature(facts)) {
    return {
      name: "kube-proxy",
      remedy: {
        text: "Set conntrack.maxPerCore and conntrack.min in its configuration; 0 leaves values alone.",
        command: "kubectl -n kube-system get configmap kube-proxy -o yaml",
      },
    };
  }
  if (capacityFlows === TUNED_FLOWS && bucketCount === TUNED_FLOWS) {
    return {
      name: "tuned",
      remedy: {
        text: "Look which profile is active, and override it in one of your own.",
        command: "tuned-adm active",
      },
    };
  }
  return undefined;
}
