/** What changes of `headroom apply` set so that it stays: the alert `setting-lost` goes by it. */
import type { ChangeRecord } from "../../change/change.ts";
import type { AppliedSetting } from "../../watch/watch.ts";

/** From the records of changes, newest first, those values that should be there after a boot. */
export function appliedSettings(records: readonly ChangeRecord[]): readonly AppliedSetting[] {
  return records.flatMap((record): readonly AppliedSetting[] => {
    if (record.kind !== "receipt" || record.ended !== undefined) return [];
    const { id, atMs, state, persist, steps } = record.receipt;
    if (state !== "applied" || !persist) return [];
    return steps.map(({ key, to, became = to }) => ({ key, value: became, changeId: id, atMs }));
  });
}
