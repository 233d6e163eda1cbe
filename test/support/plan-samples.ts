/** A plan that changes something of every kind, for the formats. */
import type { FormattedPlan, Plan } from "../../src/plan/plan.ts";

export const samplePlan: Plan = {
  settings: [
    {
      key: "nf_conntrack_tcp_timeout_established",
      from: 432_000,
      to: 86_400,
      reason: "9,000 flows; 1d saves 7,200 flows of 10,000 (72 %). It's {{ what }} {% lives %} #1.",
    },
    { key: "nf_conntrack_udp_timeout", from: 30, to: 15, reason: "30 a second x 30s held = 900." },
    { key: "nf_conntrack_tcp_timeout_time_wait", from: 120, to: 60, reason: "Linux keeps no longer." },
    { key: "nf_conntrack_buckets", from: 65_536, to: 262_144, reason: "1 flow a bucket." },
    { key: "nf_conntrack_max", from: 65_536, to: 262_144, reason: "131,072 flows / 50 % use = 262,144." },
  ],
  capacityFlows: 262_144,
  bucketCount: 262_144,
  relief: [],
  notes: [],
};

/** For a kernel that takes its buckets by sysctl. */
export const modernPlan: FormattedPlan = {
  plan: samplePlan,
  host: { tracker: "nf_conntrack", kernelRelease: "6.1.0-21-amd64", hostname: "web-1", cpus: 3 },
  presentCapacityFlows: 65_536,
};

/** For one that takes them from its module. */
export const modulePlan: FormattedPlan = {
  ...modernPlan,
  host: { tracker: "nf_conntrack", kernelRelease: "3.10.0-1160.el7.x86_64", hostname: "gate", cpus: 3 },
};
