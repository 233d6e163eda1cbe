/**
 * A place where the real command may change the running kernel: a network namespace of its own, and a
 * mount namespace in which /etc and /var/lib are laid over with memory, so that the machine's own files
 * are never touched.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../..", import.meta.url)).replace(/\/$/, "");

/** Lays memory over /etc and /var/lib, checks that it is so, and becomes the command. */
const COVER = `
set -e
cover=/run/headroom-cover
mkdir -p $cover
mount -t tmpfs -o mode=755 tmpfs $cover
for at in etc var/lib; do
  mkdir -p $cover/$at/upper $cover/$at/work
  mount -t overlay overlay -o lowerdir=/$at,upperdir=$cover/$at/upper,workdir=$cover/$at/work /$at
done
rm -rf /var/lib/headroom /etc/sysctl.d/90-headroom.conf
[ "$(stat -f -c %T /etc)" = overlayfs ] && [ "$(stat -f -c %T /var/lib)" = overlayfs ]
set +e
`;

export interface Ended {
  status: number | null;
  stdout: string;
  stderr: string;
}

/** Whether such a place can be made here; otherwise why not. */
export function whyNoSandbox(): string | undefined {
  if (process.getuid?.() !== 0) return "needs root";
  const { status, stderr } = inSandbox("true");
  return status === 0 ? undefined : `no overlay in a mount namespace: ${stderr.trim()}`;
}

/** The words of a command that runs shell commands in a sandbox of its own. */
export function wordsInSandbox(script: string): readonly string[] {
  return ["unshare", "-m", "--propagation", "private", "sh", "-c", COVER + script];
}

/** Runs shell commands in the sandbox; `headroom` is the one of this checkout. */
export function inSandbox(script: string, prefix: readonly string[] = []): Ended {
  const [program = "", ...args] = [...prefix, ...wordsInSandbox(script)];
  const { status, stdout, stderr } = spawnSync(program, args, {
    encoding: "utf8",
    cwd: "/",
    timeout: 60_000,
    env: { PATH: `${ROOT}/bin:/usr/sbin:/usr/bin:/sbin:/bin`, NO_COLOR: "1", LC_ALL: "C", TZ: "UTC" },
  });
  return { status, stdout, stderr };
}

/** Does something with a network namespace of that name, and removes it whatever happens. */
export function withNamespace<Result>(name: string, work: (prefix: readonly string[]) => Result): Result {
  execFileSync("ip", ["netns", "add", name]);
  try {
    return work(["ip", "netns", "exec", name]);
  } finally {
    execFileSync("ip", ["netns", "del", name]);
  }
}
