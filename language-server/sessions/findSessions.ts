/**
 * Which debug sessions of this user are open, and where to connect to each
 * (debug-adapter/companions/companions.ts). Reads one file of /proc, and where
 * it names a session, the descriptors of that process.
 *
 * Easy to get wrong: root can look into everybody's processes, but only its
 * own sessions are meant.
 */
import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';

export interface FoundSession {
  /** The adapter's process. */
  readonly adapter: number;
  /** A path to connect to. */
  readonly socket: string;
}

const sessionName = /\s(\/\S*\/chronofork-\w{6}\/session\.(\d+))$/;

/** The names of sessions' sockets in the text of /proc/net/unix, with the adapter that each names. */
export function sessionNames(listing: string): { adapter: number; name: string }[] {
  const found = new Map<string, number>();
  for (const line of listing.split('\n')) {
    const match = sessionName.exec(line.trimEnd());
    if (match) found.set(match[1]!, Number(match[2]));
  }
  return [...found].map(([name, adapter]) => ({ adapter, name }));
}

export function findSessions(): FoundSession[] {
  let listing: string;
  try {
    listing = readFileSync('/proc/net/unix', 'utf8');
  } catch {
    return [];
  }
  return sessionNames(listing).flatMap(({ adapter, name }) => {
    const socket = socketOf(adapter, name);
    return socket === undefined ? [] : [{ adapter, socket }];
  });
}

/** The descriptor that the adapter keeps of its socket's file. */
function socketOf(adapter: number, name: string): string | undefined {
  const folder = `/proc/${adapter}/fd`;
  try {
    if (statSync(`/proc/${adapter}`).uid !== process.getuid?.()) return undefined;
    for (const descriptor of readdirSync(folder)) {
      const path = `${folder}/${descriptor}`;
      if (target(path) === `${name} (deleted)`) return path;
    }
  } catch {
    // It has ended meanwhile, or is another user's.
  }
  return undefined;
}

function target(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}
