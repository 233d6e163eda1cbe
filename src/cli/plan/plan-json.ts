/**
 * Machine output of `headroom plan`; `headroom apply --plan` reads `settings` of it.
 */
import type { PlanReport } from "./plan-text.ts";

/** `headroom/plan/v1`. */
export function planToJson(report: PlanReport): object {
  const { plan, host, traffic, subject, unseen } = report;
  const { memory, load } = plan;
  return {
    schema: "headroom/plan/v1",
    ...(subject === undefined ? {} : { subject }),
    ...(report.netns === undefined ? {} : { netns: report.netns }),
    settings: plan.settings,
    ...(plan.capacityFlows === undefined ? {} : { capacityFlows: plan.capacityFlows }),
    ...(plan.bucketCount === undefined ? {} : { bucketCount: plan.bucketCount }),
    ...(plan.predicted === undefined ? {} : { predicted: plan.predicted }),
    ...(memory === undefined
      ? {}
      : {
          memoryBytes: memory.bytes,
          memory: {
            flowBytes: memory.flowBytes,
            bucketBytes: memory.bucketBytes,
            bytesPerFlow: memory.bytesPerFlow,
            extensionBytesPerFlow: memory.extensionBytes,
            namespaces: memory.namespaces,
            how: memory.how,
            ...(memory.budgetBytes === undefined ? {} : { budgetBytes: Math.floor(memory.budgetBytes) }),
          },
        }),
    ...(load === undefined ? {} : { load }),
    rules: plan.relief,
    ...(traffic === undefined
      ? {}
      : {
          traffic: {
            heldSeconds: traffic.heldSeconds,
            derivation: traffic.derivation,
            defaultHolds: traffic.defaultHolds,
          },
        }),
    notes: [...plan.notes, ...report.notes],
    host,
    unseen,
  };
}
