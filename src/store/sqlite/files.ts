import { existsSync, realpathSync, type Stats, statfsSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { StoreUnavailable } from '../store.ts';

/** A ping that fits into the log's last free page proves nothing about a batch of events. */
const MIN_ROOM_BYTES = 1024 * 1024;

/** A folder is trusted once it has not changed for this long, because file times are coarse. */
const SETTLED_MS = 1_000;
/** How often the files are checked while the folder does not change. */
const FILES_SEEN_MS = 1_000;

/**
 * Remembers the files of a running server's database and returns a check. The check returns null while all
 * paths lead to the same files, or a fault once a path leads to another file or to none. A commit goes into
 * the log (`-wal`) first, and the lock (`-lock`) excludes other servers: if any of the three files is gone,
 * writes are lost or other servers may write, too. SQLite itself silently keeps writing into deleted files.
 *
 * Every write is checked, so most checks make one system call: deleting, renaming or replacing a file changes
 * the times of its folder.
 */
export function watchFiles(file: string): () => StoreUnavailable | null {
  const real = withoutLinks(file);
  const folder = dirname(file);
  const opened = [file, `${real}-wal`, `${real}-lock`].map((path) => ({ path, identity: identityOf(path) }));
  // Behind a symbolic link, the file can be replaced without a change to the link's folder.
  const isLink = join(realpathSync(folder), basename(file)) !== real;
  let state = stateOf(folder);
  let since = performance.now();
  let lookedAt = Number.NEGATIVE_INFINITY;

  function check(): StoreUnavailable | null {
    const gone = opened.find(({ path, identity }) => identity === null || identityOf(path) !== identity);
    if (!gone) return null;
    return new StoreUnavailable(
      `${gone.path} was deleted or replaced, so the server can no longer store anything: restart the server`,
    );
  }

  return () => {
    if (isLink) return check();
    const now = performance.now();
    const current = stateOf(folder);
    if (current !== state || current === null) {
      state = current;
      since = now;
    } else if (lookedAt - since >= SETTLED_MS && now - lookedAt < FILES_SEEN_MS) {
      return null;
    }
    const gone = check();
    // A folder is trusted only while all files exist.
    lookedAt = gone ? Number.NEGATIVE_INFINITY : now;
    return gone;
  };
}

/** Throws `StoreUnavailable` if the file's disk has less than 1 MiB left: a batch may not fit. */
export function requireRoom(file: string): void {
  const { bavail, bsize } = statfsSync(dirname(file));
  if (bavail * bsize < MIN_ROOM_BYTES)
    throw new StoreUnavailable(`the disk of ${file} is full: free some space`);
}

/** Returns the file's real path, so that its lock and log are the same whatever links lead to it. */
export function withoutLinks(file: string): string {
  return existsSync(file) ? realpathSync(file) : join(realpathSync(dirname(file)), basename(file));
}

/** Returns the device and inode of the file at a path, or null if it does not exist or cannot be read. */
function identityOf(path: string): string | null {
  const stats = statOf(path);
  return stats ? `${stats.dev}:${stats.ino}` : null;
}

/** Returns a text that changes with every change to a folder's entries, or null if it cannot be read. */
function stateOf(folder: string): string | null {
  const stats = statOf(folder);
  return stats ? `${stats.dev}:${stats.ino}:${stats.ctimeMs}` : null;
}

function statOf(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch {
    return undefined;
  }
}
