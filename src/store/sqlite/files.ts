import { existsSync, realpathSync, type Stats, statfsSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { StoreUnavailable } from '../store.ts';

/** A ping that fits into the log's last free page proves nothing about a batch of events. */
const MIN_ROOM_BYTES = 1024 * 1024;

/** A folder is trusted once it has not changed for this long: the times of files are coarse. */
const SETTLED_MS = 1_000;
/** How often the files themselves are checked while the folder does not change. */
const FILES_SEEN_MS = 1_000;

/**
 * Remembers which files a running server's database consists of, and answers a check: null while all is as it was, a
 * fault once one of the paths leads to another file or to none. A commit goes into the log (`-wal`) first, and the lock
 * (`-lock`) keeps other servers away: without any of the three, what is written is lost or no longer this server's
 * alone. SQLite itself goes on writing into deleted files without a word.
 *
 * Every write is checked, so most checks make one system call: deleting, renaming or replacing a file changes the
 * folder's own times.
 */
export function watchFiles(file: string): () => StoreUnavailable | null {
  const real = withoutLinks(file);
  const folder = dirname(file);
  const opened = [file, `${real}-wal`, `${real}-lock`].map((path) => ({ path, identity: identityOf(path) }));
  // A file that is a link can be turned elsewhere without a change to the folder of its own.
  const isLink = join(realpathSync(folder), basename(file)) !== real;
  let state = stateOf(folder);
  let since = performance.now();
  let lookedAt = Number.NEGATIVE_INFINITY;

  function check(): StoreUnavailable | null {
    const gone = opened.find(({ path, identity }) => identity === null || identityOf(path) !== identity);
    if (!gone) return null;
    return new StoreUnavailable(
      `${gone.path} was deleted or replaced while the server runs, so nothing is stored any more: restart the server`,
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
    // A folder is trusted only while all files are there.
    lookedAt = gone ? Number.NEGATIVE_INFINITY : now;
    return gone;
  };
}

/** Throws `StoreUnavailable` where so little room is left on the file's disk that the next batch may not fit. */
export function requireRoom(file: string): void {
  const { bavail, bsize } = statfsSync(dirname(file));
  if (bavail * bsize < MIN_ROOM_BYTES) throw new StoreUnavailable(`the disk of ${file} is full`);
}

/** The file's true path, so that its lock and its log are one and the same by whatever links it is reached. */
export function withoutLinks(file: string): string {
  return existsSync(file) ? realpathSync(file) : join(realpathSync(dirname(file)), basename(file));
}

/** Device and number of the file that a path leads to; null: there is none, or it cannot be looked at. */
function identityOf(path: string): string | null {
  const stats = statOf(path);
  return stats ? `${stats.dev}:${stats.ino}` : null;
}

/** Changes with whatever happens to the entries of a folder; null: it cannot be looked at. */
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
