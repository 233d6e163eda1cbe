/**
 * The sessions by which people are logged in: sockets of ssh servers, and of whatever this process
 * descends from.
 *
 * An ssh server is told by the name of its process; a port it listens on makes every connection to that
 * port a session. Port 22 is one in any case: where a service manager listens in the server's place, no
 * server may run yet. The ancestors of this process are asked for their sockets (a server of another
 * name, mosh), and for SSH_CONNECTION in their environment, which sudo takes from ours.
 */
import { unmapped } from "../table/address.ts";
import { TCP, UDP } from "../table/protocol.ts";
import type { Session, Sessions } from "../table/session.ts";
import type { Files } from "./files.ts";
import { parseSocketLink } from "./owners.ts";
import type { OpenSocket } from "./socket-files.ts";

/** Names as /proc/PID/comm has them: OpenSSH (9.8 split it in three), Dropbear, TinySSH, lsh. */
const SSH_SERVERS = new Set(["sshd", "sshd-session", "sshd-auth", "dropbear", "tinysshd", "lshd"]);
const SSH_PORT = 22;

/** Parents are asked for no longer than this; no process has as many. */
const ANCESTORS_MAX = 64;

/** What the processes of a host tell of sessions. */
export interface SessionClues {
  /** Inodes of sockets held by ssh servers and by ancestors of this process. */
  inodes: ReadonlySet<number>;
  /** Values of SSH_CONNECTION: `CLIENT PORT SERVER PORT`. */
  connections: readonly string[];
}

/** Looks at the names of all processes, and at the files of those that matter. */
export function readSessionClues(files: Files, pid: number): SessionClues {
  const ancestors = ancestorsOf(files, pid);
  const servers = files
    .list("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((each) => SSH_SERVERS.has(files.textOrNothing(`/proc/${each}/comm`)?.trimEnd() ?? ""));
  const inodes = new Set([...ancestors, ...servers].flatMap((each) => socketsOf(files, each)));
  const connections = ancestors.flatMap((each) => {
    const found = /(?:^|\0)SSH_CONNECTION=([^\0]*)/.exec(files.textOrNothing(`/proc/${each}/environ`) ?? "");
    return found?.[1] === undefined ? [] : [found[1]];
  });
  return { inodes, connections };
}

/** The sessions among these sockets, and what else the clues tell. */
export function sessionsAmong(sockets: readonly OpenSocket[], clues: SessionClues): Sessions {
  const held = sockets.filter(({ inode }) => clues.inodes.has(inode));
  const ports = new Set(
    held
      .filter(({ protocol, remotePort }) => protocol === TCP && remotePort === 0)
      .map(({ localPort }) => localPort),
  );
  ports.add(SSH_PORT);
  const sessions: Session[] = [];
  for (const socket of sockets) {
    const { protocol, localPort, remotePort } = socket;
    const mine = clues.inodes.has(socket.inode);
    const local = unmapped(socket.local);
    if (remotePort !== 0) {
      if (!mine && !(protocol === TCP && ports.has(localPort))) continue;
      sessions.push({
        protocol,
        local,
        localPort,
        remote: { address: unmapped(socket.remote), port: remotePort },
      });
    } else if (mine && protocol === UDP && localPort !== 0) sessions.push({ protocol, localPort });
  }
  return { sessions, connections: clues.connections };
}

/** This process and those it descends from, as far as init. */
function ancestorsOf(files: Files, pid: number): number[] {
  const found: number[] = [];
  let next = pid;
  while (next > 1 && found.length < ANCESTORS_MAX) {
    found.push(next);
    const status = files.textOrNothing(`/proc/${next}/status`) ?? "";
    next = Number(/^PPid:\s*(\d+)$/m.exec(status)?.[1] ?? 0);
  }
  return found;
}

function socketsOf(files: Files, pid: number): number[] {
  const directory = `/proc/${pid}/fd`;
  return files.list(directory).flatMap((name) => {
    try {
      return parseSocketLink(files.link(`${directory}/${name}`)) ?? [];
    } catch {
      // Closed meanwhile, or not ours to look at.
      return [];
    }
  });
}
