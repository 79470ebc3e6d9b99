import { existsSync, realpathSync, type Stats, statfsSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { StoreUnavailable } from '../store.ts';

/** A ping that fits into the log's last free page proves nothing about a batch of events. */
const MIN_ROOM_BYTES = 1024 * 1024;

/**
 * Remembers which files a running server's database consists of, and answers a check: null while all is as it was, a
 * fault once one of the paths leads to another file or to none. A commit goes into the log (`-wal`) first, and the lock (`-lock`)
 * keeps other servers away: without any of the three, what is written is lost or no longer this server's alone. SQLite
 * itself goes on writing into deleted files without a word. A check costs about 8 µs.
 */
export function watchFiles(file: string): () => StoreUnavailable | null {
  const real = withoutLinks(file);
  const opened = [file, `${real}-wal`, `${real}-lock`].map((path) => ({ path, identity: identityOf(path) }));
  return () => {
    const gone = opened.find(({ path, identity }) => identity === null || identityOf(path) !== identity);
    if (!gone) return null;
    return new StoreUnavailable(
      `${gone.path} was deleted or replaced while the server runs, so nothing is stored any more: restart the server`,
    );
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

function statOf(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch {
    return undefined;
  }
}
