/**
 * Every owner, in the order in which they come up in a boot: firewalls first, because their rules are there
 * before the network is, then what runs at the end of it.
 */
import { readDocker } from "./owner-docker.ts";
import { readK3s, readRke } from "./owner-k3s.ts";
import { readKubeProxy } from "./owner-kube-proxy.ts";
import { readNetworkScript, readRcLocal } from "./owner-rc-local.ts";
import { readTuned } from "./owner-tuned.ts";
import { readUfw } from "./owner-ufw.ts";
import type { OwnerReader } from "./owner.ts";

export const ownerReaders: readonly OwnerReader[] = [
  readUfw,
  readNetworkScript,
  readTuned,
  readDocker,
  readRcLocal,
  readK3s,
  readRke,
  readKubeProxy,
];
