import { existsSync, lstatSync, realpathSync, type Stats, statfsSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { codeOf, lineOf } from '../../lib/text/error-line.ts';
import { StoreUnavailable } from '../unavailable.ts';

/** A ping that fits into the log's last free page proves nothing about a batch of events. */
const MIN_ROOM_BYTES = 1024 * 1024;

/** A folder is trusted once it has not changed for this long, because file times are coarse. */
const SETTLED_MS = 1_000;
/** How often the files are checked while the folder does not change. */
const FILES_SEEN_MS = 1_000;

/** The path leads to nothing any more. */
const GONE = /^(ENOENT|ENOTDIR|ELOOP)$/;

/**
 * Remembers the files of a running server's database, given by its name and its real path, and returns a
 * check. The check returns null while a server that started now would find the same files at the same real
 * path and no other name leads to them, or a fault otherwise. A commit goes into the log (`-wal`) first,
 * and the lock (`-lock`) excludes other servers, and both go by the database's real path: if that changes,
 * or any of the three files is gone, writes are lost or other servers may write, too. SQLite itself
 * silently keeps writing into deleted and renamed files.
 *
 * Every write is checked, so most checks make one system call: deleting, renaming or replacing a file, or
 * putting a link in its place, changes the times of its folder. Only a hard link in another folder does
 * not: it is noticed within a second, and servers do not start on a file that has one.
 */
export function watchFiles(file: string, real: string): () => StoreUnavailable | null {
  const folder = dirname(file);
  const opened = ['', '-wal', '-lock'].map((suffix) => ({
    path: `${real}${suffix}`,
    identity: identityOf(`${real}${suffix}`),
  }));
  // Behind a symbolic link, the file can be replaced without a change to the link's folder.
  const isLink = ownName(file) !== real;
  let state = stateOf(folder);
  let since = performance.now();
  let lookedAt = Number.NEGATIVE_INFINITY;

  function check(): StoreUnavailable | null {
    try {
      if (realpathSync.native(file) !== real) return replaced(file);
      for (const { path, identity } of opened) {
        // Not the file behind a link: SQLite and the next server look beside the real path.
        const stats = lstatSync(path, { throwIfNoEntry: false });
        if (!stats || identityIn(stats) !== identity) return replaced(path);
        const several = path === real ? severalNames(real, stats) : null;
        if (several) return new StoreUnavailable(several);
      }
      return null;
    } catch (error) {
      if (GONE.test(codeOf(error))) return replaced(file);
      return new StoreUnavailable(`the database's files cannot be reached: ${lineOf(error)}`);
    }
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

function replaced(path: string): StoreUnavailable {
  return new StoreUnavailable(
    `${path} was deleted or replaced, so the server can no longer store anything: restart the server`,
  );
}

/**
 * Returns why a database with these hard links must not be written to, or null if it has only one. Each
 * name has a log and a lock of its own, so two servers, or a server and a tool, would overwrite each
 * other's pages.
 */
export function severalNames(path: string, { nlink }: Stats): string | null {
  if (nlink <= 1) return null;
  return `${path} has ${nlink} hard links, and whatever opens it by another one would damage it: remove all but one of them`;
}

/** Throws `StoreUnavailable` if the file's disk has less than 1 MiB left: a batch may not fit. */
export function requireRoom(file: string): void {
  const { bavail, bsize } = statfsSync(dirname(file));
  if (bavail * bsize < MIN_ROOM_BYTES)
    throw new StoreUnavailable(`the disk of ${file} is full: free some space`);
}

/** Returns the file's real path, so that its lock and log are the same whatever links lead to it. */
export function withoutLinks(file: string): string {
  return existsSync(file) ? realpathSync.native(file) : ownName(file);
}

/** Returns the path with all links resolved except for the last one. */
export function ownName(file: string): string {
  return join(realpathSync.native(dirname(file)), basename(file));
}

/**
 * Returns the device and inode of what is at a path, even if it is a link, or null if that cannot be read.
 */
export function identityOf(path: string): string | null {
  try {
    return identityIn(lstatSync(path));
  } catch {
    return null;
  }
}

function identityIn({ dev, ino }: Stats): string {
  return `${dev}:${ino}`;
}

/** Returns a text that changes with every change to a folder's entries, or null if it cannot be read. */
function stateOf(folder: string): string | null {
  try {
    const stats = statSync(folder);
    return `${identityIn(stats)}:${stats.ctimeMs}`;
  } catch {
    return null;
  }
}
