/**
 * What `headroom verify` found, before it is words.
 */
import type { BootForecast } from "../../table/boot.ts";
import type { SettingKey } from "../../table/settings.ts";
import type { Unseen } from "../../table/unseen.ts";
import type { BootOutlook } from "../../plan/plan.ts";

export interface VerifyReport extends BootOutlook {
  boot: BootForecast;
  /** `all`: every place with what becomes of it. */
  detail: "short" | "all";
  /** Only this setting was asked for. */
  key?: SettingKey;
  subject?: string;
  trackerLoaded: boolean;
  /** The initial namespace, whose sizes a boot decides. */
  ownNamespace: boolean;
  /** ` --root DIR`, for commands that shall go to the same place. */
  rootOption: string;
  /** ` --netns NAME`, likewise. */
  netnsOption: string;
  unseen: readonly Unseen[];
}
