import assert from "node:assert/strict";
import { test } from "node:test";

import { ownerPhrase, parseCgroup } from "./process-owner.ts";

const ID = "0123456789abcdef".repeat(4);
const SHORT = "0123456789ab";

const paths = [
  ["0::/docker/ID", { container: `docker:${SHORT}` }],
  ["0::/system.slice/docker-ID.scope", { container: `docker:${SHORT}` }],
  ["12:memory:/docker/ID\n1:name=systemd:/docker/ID", { container: `docker:${SHORT}` }],
  [
    "0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod0a1b.slice/cri-containerd-ID.scope",
    { container: `containerd:${SHORT}` },
  ],
  [
    "0::/system.slice/containerd.service/kubepods-besteffort-pod0a1b.slice:cri-containerd:ID",
    { container: `containerd:${SHORT}`, unit: "containerd.service" },
  ],
  ["4:memory:/kubepods/burstable/pod0a1b-2c3d/ID", { container: `kubernetes:${SHORT}` }],
  ["0::/kubepods.slice/kubepods-pod0a.slice/crio-ID.scope/container", { container: `cri-o:${SHORT}` }],
  ["0::/machine.slice/libpod-ID.scope/container", { container: `podman:${SHORT}` }],
  [
    "0::/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-ID.scope",
    { container: `podman:${SHORT}` },
  ],
  ["8:devices:/libpod_parent/libpod-ID", { container: `podman:${SHORT}` }],
  ["8:devices:/lxc/web01", { container: "lxc:web01" }],
  ["0::/lxc.payload.web01/system.slice/nginx.service", { container: "lxc:web01", unit: "nginx.service" }],
  ["0::/lxc.payload/web01/init.scope", { container: "lxc:web01" }],
  [
    String.raw`0::/machine.slice/systemd-nspawn@build\x2dbox.service/payload`,
    { container: "nspawn:build-box", unit: "systemd-nspawn@build-box.service" },
  ],
  [String.raw`0::/machine.slice/machine-qemu\x2d1\x2ddb.scope`, { container: "machine:qemu-1-db" }],
  ["0::/some.engine/ID", { container: `container:${SHORT}` }],
  ["0::/system.slice/nginx.service", { unit: "nginx.service" }],
  ["0::/user.slice/user-1000.slice/session-3.scope", { unit: "session-3.scope" }],
  [
    "0::/user.slice/user-1000.slice/user@1000.service/app.slice/syncthing.service",
    { unit: "syncthing.service" },
  ],
  ["9:name=systemd:/system.slice/sshd.service\n4:memory:/other\n0::/", { unit: "sshd.service" }],
  ["4:memory:/system.slice/sshd.service", {}],
  ["0::/", {}],
  ["", {}],
  ["garbage", {}],
] as const;

for (const [text, expected] of paths) {
  test(`parseCgroup() reads ${text.replaceAll("\n", " ")}`, () => {
    assert.deepEqual(parseCgroup(text.replaceAll("ID", ID)), expected);
  });
}

const phrases = [
  [{ container: "docker:a", unit: "x.service", command: "nginx" }, "docker:a"],
  [{ unit: "nginx.service", command: "nginx" }, "nginx.service"],
  [{ unit: "session-3.scope", command: "bash" }, "pid 812 (bash)"],
  [{ unit: "init.scope", command: "systemd" }, "pid 812 (systemd)"],
  [{ command: "haproxy" }, "pid 812 (haproxy)"],
  [{}, "pid 812"],
] as const;

for (const [owner, phrase] of phrases) {
  test(`ownerPhrase() says ${phrase} of ${JSON.stringify(owner)}`, () => {
    assert.equal(ownerPhrase(812, owner), phrase);
  });
}
