/**
 * Changes of the running kernel by the real command: per-namespace settings in network namespaces,
 * capacity and buckets of the host once, and everything that may refuse. /etc and /var/lib are covered
 * meanwhile (sandbox.ts).
 */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

import { inSandbox, whyNoSandbox, withNamespace } from "../support/sandbox.ts";

const skip = whyNoSandbox() ?? false;
const HOST = fileURLToPath(new URL("../fixtures/hosts/ubuntu-ufw", import.meta.url));
const NAME = `hr-change-${process.pid}`;
const DIRECTORY = "/proc/sys/net/netfilter";
const [MAX, BUCKETS] = [`${DIRECTORY}/nf_conntrack_max`, `${DIRECTORY}/nf_conntrack_buckets`];
const ESTABLISHED = `${DIRECTORY}/nf_conntrack_tcp_timeout_established`;

/** Lines with what differs from run to run taken out. */
function neutral(text: string): string {
  return text
    .replaceAll(/\d{8}-\d{6}/g, "ID")
    .replaceAll(/net:\[\d+\]/g, "net:[N]")
    .replaceAll(/process \d+/g, "process N")
    .trimEnd();
}

test("a timeout of a namespace is changed, kept in the history and taken back", { skip }, () => {
  withNamespace(NAME, (prefix) => {
    const { status, stdout, stderr } = inSandbox(
      `headroom apply --set tcp_timeout_established=12h --yes >/dev/null && cat ${ESTABLISHED} &&
       headroom apply --set tcp_timeout_established=43200 --yes && ls /etc/sysctl.d | grep -c headroom
       headroom rollback --yes >/dev/null && cat ${ESTABLISHED} && headroom history --json`,
      prefix,
    );
    assert.equal(status, 0, stderr);
    const [changed, nothing, files, back, history = ""] = stdout.trim().split("\n");
    assert.deepEqual(
      [changed, nothing, files, back],
      ["43200", "Nothing to do: every value is right already, now and after a reboot", "0", "432000"],
    );
    const { changes } = JSON.parse(history) as {
      changes: { state: string; namespace?: { inode: number } }[];
    };
    assert.equal(changes.length, 1);
    assert.equal(changes[0]?.state, "undone");
    assert.ok((changes[0]?.namespace?.inode ?? 0) > 0);
  });
});

test("--netns changes another namespace, and rollback finds it again", { skip }, () => {
  const host = readFileSync(ESTABLISHED, "utf8");
  withNamespace(NAME, () => {
    const inside = `ip netns exec ${NAME} cat ${ESTABLISHED}`;
    const { status, stdout, stderr } = inSandbox(
      `headroom apply --netns ${NAME} --set tcp_timeout_established=1d --yes >/dev/null && ${inside} &&
       headroom rollback --yes >/dev/null && ${inside}`,
    );
    assert.equal(status, 0, stderr);
    assert.deepEqual(stdout.trim().split("\n"), ["86400", "432000"]);
  });
  assert.equal(readFileSync(ESTABLISHED, "utf8"), host);
});

test("a change of one namespace is not taken back in another", { skip }, () => {
  withNamespace(NAME, () => {
    const { status, stderr } = inSandbox(
      `ip netns exec ${NAME} headroom apply --set tcp_timeout_established=1d --yes >/dev/null &&
       headroom rollback --yes`,
    );
    assert.equal(status, 3);
    assert.equal(
      neutral(stderr),
      "headroom: cannot take change ID back from here: it was made in network namespace net:[N]\n" +
        "`lsns -t net` shows who is in it; when it has ended there is nothing left to take back",
    );
  });
});

test(
  "a change whose namespace has ended has ended with it, and keeps nothing else from being taken back",
  { skip },
  () => {
    const gone = `${NAME}-gone`;
    withNamespace(NAME, (prefix) => {
      const { status, stdout, stderr } = inSandbox(
        `headroom apply --set tcp_timeout_established=1d --yes >/dev/null &&
       ip netns add ${gone} && ip netns exec ${gone} nft add table inet t &&
       ip netns exec ${gone} nft 'add chain inet t o { type filter hook output priority 0; }' &&
       ip netns exec ${gone} nft add rule inet t o ct state new counter &&
       ip netns exec ${gone} headroom apply --set udp_timeout=20s --yes >/dev/null &&
       headroom apply --netns ${gone} --set udp_timeout=21s --yes --confirm-within 2m >/dev/null &&
       headroom history | grep -c "waits, "; ip netns del ${gone}
       headroom history --json; headroom rollback --yes >/dev/null && cat ${ESTABLISHED} &&
       headroom rollback $(headroom history | grep -m1 ended | cut -d' ' -f1) --yes | tail -3`,
        prefix,
      );
      assert.equal(status, 0, stderr);
      const [waits, history = "", established, ...rest] = stdout.trim().split("\n");
      assert.deepEqual([waits, established], ["1", "432000"]);
      const { changes } = JSON.parse(history) as { changes: { ended?: string }[] };
      assert.deepEqual(
        changes.map(({ ended }) => ended),
        ["namespace", "namespace", undefined],
      );
      assert.deepEqual(rest.map(neutral), [
        "- The network namespace has ended, and the values went with it",
        "",
        "Taken back: everything is as before change ID",
      ]);
    });
  },
);

test("of a plan, a namespace takes what is its own, and the rest is said with its command", { skip }, () => {
  withNamespace(NAME, (prefix) => {
    const { status, stdout, stderr } = inSandbox(
      `echo '{"settings":[{"key":"nf_conntrack_max","from":5,"to":1000},
         {"key":"nf_conntrack_udp_timeout","from":30,"to":20}]}' | headroom apply --plan - --yes | tail -1
       cat ${DIRECTORY}/nf_conntrack_udp_timeout
       echo '{"settings":[{"key":"nf_conntrack_max","to":1000}]}' | headroom apply --plan - --yes`,
      prefix,
    );
    assert.equal(status, 3, stderr);
    assert.equal(stdout, "On the host:  headroom apply --set nf_conntrack_max=1000\n20\n");
    assert.equal(
      stderr,
      "headroom: cannot apply the plan in this network namespace: all of it is the host's\n" +
        "On the host: headroom apply --set nf_conntrack_max=1000\n",
    );
  });
});

test(
  "capacity and buckets of another namespace cannot be set there, and that is said first",
  { skip },
  () => {
    withNamespace(NAME, (prefix) => {
      for (const key of ["nf_conntrack_max", "nf_conntrack_buckets"]) {
        const { status, stdout, stderr } = inSandbox(
          `headroom apply --set ${key}=1000 --yes; s=$?; ls /var/lib/headroom 2>/dev/null; exit $s`,
          prefix,
        );
        assert.equal(status, 3);
        assert.equal(stdout, "");
        assert.match(
          stderr,
          /is one value for the whole host and cannot be written in this network namespace/,
        );
        assert.match(stderr, /\nRun headroom on the host itself\n$/);
      }
    });
  },
);

test(
  "a value out of range for the ticks of this kernel is explained, and all is taken back",
  { skip },
  () => {
    withNamespace(NAME, (prefix) => {
      const { status, stdout, stderr } = inSandbox(
        `headroom apply --set udp_timeout=20s --set tcp_timeout_established=240d --yes; s=$?
       cat ${DIRECTORY}/nf_conntrack_udp_timeout ${ESTABLISHED}; exit $s`,
        prefix,
      );
      assert.equal(status, 5, stderr);
      assert.match(
        stdout,
        /Not done: everything is as it was\nCannot write 20736000 to .*: invalid argument \(EINVAL\)/,
      );
      assert.match(
        stdout.replaceAll("\n", " "),
        /counts timeouts in ticks: at most 2147483 seconds \(24 days\)/,
      );
      assert.ok(stdout.endsWith("\n30\n432000\n"), stdout);
    });
  },
);

test("a read-only /proc/sys is told before anything is asked", { skip }, () => {
  withNamespace(NAME, (prefix) => {
    const { status, stderr } = inSandbox(
      `mount --bind /proc/sys /proc/sys && mount -o remount,bind,ro /proc/sys &&
       headroom apply --set tcp_timeout_established=12h --yes`,
      prefix,
    );
    assert.equal(status, 3);
    assert.equal(
      stderr,
      `headroom: cannot write ${ESTABLISHED}: read-only file system (EROFS); ` +
        "it is mounted read-only, as in a container; run on the host; nothing was changed\n",
    );
  });
});

test("an ordinary user is told so in one sentence, and may look", { skip }, () => {
  const nobody = "setpriv --reuid=65534 --regid=65534 --clear-groups";
  withNamespace(NAME, (prefix) => {
    const { status, stdout, stderr } = inSandbox(
      `${nobody} headroom apply --set tcp_timeout_established=12h --yes; s=$?
       ${nobody} headroom apply --set tcp_timeout_established=12h --dry-run >/dev/null && echo looked
       headroom apply --set tcp_timeout_established=12h --yes >/dev/null
       ${nobody} headroom history; echo $?; exit $s`,
      prefix,
    );
    assert.equal(status, 3);
    assert.ok(stdout.endsWith("looked\n3\n"), stdout);
    const [refused, history] = neutral(stderr).split("\n");
    assert.equal(
      refused,
      `headroom: cannot write ${ESTABLISHED}: permission denied (EACCES); run as root; nothing was changed`,
    );
    assert.match(
      history ?? "",
      /^headroom: cannot list \/var\/lib\/headroom\/changes: permission denied \(EACCES\)/,
    );
  });
});

test("a full disk is found out before anything is written", { skip }, () => {
  withNamespace(NAME, (prefix) => {
    const { status, stdout, stderr } = inSandbox(
      `mkdir -p /var/lib/headroom && mount -t tmpfs -o size=16k tmpfs /var/lib/headroom &&
       head -c 100000 /dev/zero > /var/lib/headroom/fill 2>/dev/null
       headroom apply --set tcp_timeout_established=12h --yes --json; s=$?; cat ${ESTABLISHED}; exit $s`,
      prefix,
    );
    assert.equal(status, 5, stderr);
    assert.match(
      stderr,
      /cannot write the receipt of the change: .*: no space left on device \(ENOSPC\); the disk is full/,
    );
    const [json = "", value] = stdout.split("\n");
    assert.equal((JSON.parse(json) as { outcome: string }).outcome, "refused");
    assert.equal(value, "432000");
  });
});

test("two at once: the second is told who the first is", { skip }, () => {
  withNamespace(NAME, (prefix) => {
    const { status, stdout, stderr } = inSandbox(
      `mkdir -p /var/lib/headroom; flock -o /var/lib/headroom sleep 30 >/dev/null 2>&1 & sleep 0.3
       headroom apply --set tcp_timeout_established=12h --yes >/dev/null; s=$?; kill $!
       cat ${ESTABLISHED}; exit $s`,
      prefix,
    );
    assert.equal(status, 5);
    assert.equal(stdout, "432000\n");
    assert.equal(
      neutral(stderr),
      "headroom: cannot make a change: process N is changing something now, " +
        "and only one change is made at a time; try again",
    );
  });
});

/** Waits, in a shell, until a command succeeds. */
const until = (command: string): string => `for i in $(seq 200); do ${command} && break; sleep 0.1; done`;

test("the guard takes a change back when Headroom and its whole session were killed", { skip }, () => {
  withNamespace(NAME, (prefix) => {
    const { status, stdout, stderr } = inSandbox(
      `cd /run/headroom-cover
       cat > session <<'END'
       echo $$ $PPID > pids
       headroom apply --set tcp_timeout_established=12h --yes --confirm-within 2s
       sleep 60
END
       setsid -f script -qfc "sh session" /dev/null >said 2>&1 </dev/null
       ${until("grep -q 'Keep it' said")}
       cat ${ESTABLISHED}
       read shell terminal < pids; kill -KILL $terminal; kill -HUP -$shell; kill -KILL -$shell
       ${until(`grep -q 432000 ${ESTABLISHED}`)}
       cat ${ESTABLISHED}; headroom history --json`,
      prefix,
    );
    assert.equal(status, 0, stderr);
    const [changed, back, history = ""] = stdout.trim().split("\n");
    assert.deepEqual([changed, back], ["43200", "432000"]);
    const { changes } = JSON.parse(history) as { changes: { state: string; undo: { reason: string } }[] };
    assert.equal(changes[0]?.undo.reason, "not-confirmed");
  });
});

test("the guard is told to end by a shutdown, and takes the change back at once", { skip }, () => {
  withNamespace(NAME, (prefix) => {
    const { status, stdout, stderr } = inSandbox(
      `headroom apply --set tcp_timeout_established=12h --yes --confirm-within 10m >/dev/null &&
       cat ${ESTABLISHED}
       for p in $(pgrep -f guard-chang[e]); do
         [ "$(readlink /proc/$p/ns/net)" = "$(readlink /proc/self/ns/net)" ] || continue
         kill -HUP $p && sleep 0.2 && kill -TERM $p
       done
       ${until(`grep -q 432000 ${ESTABLISHED}`)}
       cat ${ESTABLISHED}`,
      prefix,
    );
    assert.equal(status, 0, stderr);
    assert.deepEqual(stdout.trim().split("\n"), ["43200", "432000"]);
  });
});

test("a confirmed change stays, and its guard goes", { skip }, () => {
  withNamespace(NAME, (prefix) => {
    const { status, stdout, stderr } = inSandbox(
      `headroom apply --set tcp_timeout_established=12h --yes --confirm-within 3s >/dev/null &&
       headroom confirm >/dev/null && sleep 4 && cat ${ESTABLISHED}`,
      prefix,
    );
    assert.equal(status, 0, stderr);
    assert.equal(stdout, "43200\n");
  });
});

test(
  "capacity and buckets of the host are raised together, and taken back in the other order",
  { skip },
  () => {
    const before = { max: readFileSync(MAX, "utf8"), buckets: readFileSync(BUCKETS, "utf8") };
    const capacity = Number(before.max) + 5000;
    try {
      const { status, stdout, stderr } = inSandbox(
        `headroom apply --set nf_conntrack_max=${capacity} --yes --json && cat ${MAX} ${BUCKETS} &&
       cat /etc/sysctl.d/90-headroom.conf && headroom rollback --yes >/dev/null &&
       ls /etc/sysctl.d | grep -c headroom`,
      );
      assert.ok(status === 0 || status === 1, stderr);
      const [json = "", max, buckets, ...rest] = stdout.trim().split("\n");
      const { outcome, steps } = JSON.parse(json) as { outcome: string; steps: { key: string }[] };
      assert.equal(outcome, "applied");
      const order = [...new Set(steps.map(({ key }) => key))];
      assert.deepEqual(order, ["nf_conntrack_buckets", "nf_conntrack_max"]);
      assert.equal(Number(max), capacity);
      assert.ok(Number(buckets) >= capacity, "a bucket for each flow");
      assert.ok(rest.includes(`net.netfilter.nf_conntrack_max = ${capacity}`));
      assert.equal(rest.at(-1), "0");
      assert.equal(readFileSync(MAX, "utf8"), before.max);
      assert.equal(readFileSync(BUCKETS, "utf8"), before.buckets);
    } finally {
      writeFileSync(BUCKETS, before.buckets);
      writeFileSync(MAX, before.max);
    }
  },
);

test("who is not root can change a tree of his own, and take it back", { skip }, () => {
  const nobody = "setpriv --reuid=65534 --regid=65534 --clear-groups";
  const { status, stdout, stderr } = inSandbox(
    `cp -a ${HOST} /run/headroom-cover/host && cd /run/headroom-cover && cp -a host before &&
     chown -R 65534:65534 host before && set="--set nf_conntrack_max=200k --set udp_timeout=20s" &&
     ${nobody} headroom apply --root host --yes $set | grep Done &&
     ${nobody} headroom rollback --root host --yes | grep Taken &&
     diff -r --no-dereference -x var before host && find host -not -user 65534`,
  );
  assert.equal(status, 0, stderr);
  assert.equal(neutral(stdout), "Done: change ID\nTaken back: everything is as before change ID");
});
