import { accessSync, constants, lstatSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { makeFolder } from '../../lib/make-folder.ts';
import { codeOf } from '../../lib/text/error-line.ts';
import { Database, SqliteError } from '../../store/sqlite-file/driver.ts';
import { createForOwner } from '../../store/sqlite-file/modes.ts';
import { SubstrateError } from '../errors.ts';
import { killUser } from './kill-user.ts';
import { uidsOfProcesses } from './proc.ts';

/** A uid and the job's folder that has it. */
export interface UidOfFolder {
  readonly uid: number;
  readonly folder: string;
}

/** Uids that jobs have, across all servers on this machine: a uid is the machine's, not a folder's. */
export interface UidRegistry {
  /**
   * Claims a uid for a job's folder, which is about to be created. No other folder has it, and no process
   * runs as it: one that was seen keeps the uid taken, and one that was not is killed. Takes the first free one
   * from `start` on, a number from 0 to 1. Throws a {@link SubstrateError} if none is free.
   */
  claim(folder: string, range: UidRange, start: number): Promise<number>;
  /** Adds folders that exist already. */
  note(folders: readonly UidOfFolder[]): Promise<void>;
  release(folder: UidOfFolder): Promise<void>;
  close(): void;
}

/** Both ends are included. */
export interface UidRange {
  readonly first: number;
  readonly last: number;
}

/** The first that can be written to is used. Not in a folder for temporary files: other users could be first. */
const PLACES = ['/var/lib/runfeed-uids', '/run/runfeed-uids'];

/** A claim may be this much older than its folder. */
const CREATING_MS = 10 * 60_000;

/** After this many taken uids in a row, it is cheaper to read all of them. */
const PROBES = 256;

/** Claims that are read at once. */
const PAGE = 256;

/** How many uids to try whose processes cannot be killed. Such a uid stays claimed. */
const UID_TRIES = 3;

/** A process of the uid can kill what is to kill it, but hardly each time. */
const KILL_TRIES = 5;

/** The process table is read once in this time, however many jobs start. */
const SHARED_MS = 1_000;

const BUSY_TRIES = 200;
const BUSY_RETRY_MS = 10;

interface Claim extends UidOfFolder {
  readonly claimedAt: number;
}

/** Opens this machine's registry, which only root can read. A SQLite file, whose locks end with their process. */
export async function openUidRegistry(places: readonly string[] = PLACES): Promise<UidRegistry> {
  const path = join(placeOf(places), 'uids.db');
  createForOwner(path);
  const database = await patiently(() => openDatabase(path));
  const has = database.prepare('SELECT 1 FROM claim WHERE uid = ? LIMIT 1').pluck();
  const within = database
    .prepare<[number, number], number>('SELECT uid FROM claim WHERE uid BETWEEN ? AND ?')
    .pluck();
  const page = database.prepare<[number, string, number], Claim>(
    `SELECT uid, folder, claimed_at AS claimedAt FROM claim
     WHERE (uid, folder) > (?, ?) ORDER BY uid, folder LIMIT ?`,
  );
  const insert = database.prepare('INSERT OR IGNORE INTO claim (uid, folder, claimed_at) VALUES (?, ?, ?)');
  const remove = database.prepare('DELETE FROM claim WHERE uid = ? AND folder = ?');
  const removeStale = database.prepare('DELETE FROM claim WHERE uid = ? AND folder = ? AND claimed_at = ?');
  const inTransaction = <Result>(work: () => Result): Promise<Result> =>
    patiently(() => database.transaction(work).immediate());
  let running: Promise<ReadonlySet<number>> | null = null;
  let readAt = 0;
  let clearing: Promise<void> | null = null;

  function runningUids(): Promise<ReadonlySet<number>> {
    const now = performance.now();
    if (!running || now - readAt >= SHARED_MS) {
      readAt = now;
      running = uidsOfProcesses();
    }
    return running;
  }

  function pick({ first, last }: UidRange, start: number, used: ReadonlySet<number>): number | null {
    const size = last - first + 1;
    const begin = Math.floor(start * size) % size;
    const uidAt = (index: number) => first + ((begin + index) % size);
    for (let index = 0; index < Math.min(size, PROBES); index += 1) {
      const uid = uidAt(index);
      if (!used.has(uid) && has.get(uid) === undefined) return uid;
    }
    const taken = new Set([...within.all(first, last), ...used]);
    for (let index = 0; index < Math.min(size, taken.size + 1); index += 1) {
      const uid = uidAt(index);
      if (!taken.has(uid)) return uid;
    }
    return null;
  }

  async function tryClaim(folder: string, range: UidRange, start: number): Promise<number | null> {
    const used = await runningUids();
    return inTransaction(() => {
      const uid = pick(range, start, used);
      if (uid !== null) insert.run(uid, folder, Date.now());
      return uid;
    });
  }

  /** Removes claims whose folder a dead server did not create, or that was removed by something else. */
  async function clear(): Promise<void> {
    const used = await uidsOfProcesses();
    let last: UidOfFolder | undefined = { uid: -1, folder: '' };
    while (last) {
      const claims: readonly Claim[] = page.all(last.uid, last.folder, PAGE);
      for (const { uid, folder, claimedAt } of claims) {
        if (used.has(uid) || Date.now() - claimedAt < CREATING_MS || !(await isGone(folder))) continue;
        // The same folder may have claimed the uid again.
        await inTransaction(() => removeStale.run(uid, folder, claimedAt));
      }
      last = claims.at(-1);
    }
  }

  function cleared(): Promise<void> {
    clearing ??= clear().finally(() => {
      clearing = null;
    });
    return clearing;
  }

  async function claimAny(folder: string, range: UidRange, start: number): Promise<number> {
    const uid = await tryClaim(folder, range, start);
    if (uid !== null) return uid;
    await cleared();
    const freed = await tryClaim(folder, range, start);
    if (freed !== null) return freed;
    throw noUid('every uid of JOBS_USER is in use by a job of the last day or by a process on this machine');
  }

  return {
    claim: async (folder, range, start) => {
      for (let tries = 0; tries < UID_TRIES; tries += 1) {
        const uid = await claimAny(folder, range, start);
        // What an earlier job left can change its process faster than /proc is read.
        if (await isKilled(uid)) return uid;
      }
      throw noUid('the processes that earlier jobs left under uids of JOBS_USER cannot be killed');
    },
    note: (folders) =>
      inTransaction(() => {
        for (const { uid, folder } of folders) insert.run(uid, folder, Date.now());
      }),
    release: async ({ uid, folder }) => {
      await inTransaction(() => remove.run(uid, folder));
    },
    close: () => void database.close(),
  };
}

async function isKilled(uid: number): Promise<boolean> {
  for (let tries = 0; tries < KILL_TRIES; tries += 1) if (await killUser(uid)) return true;
  return false;
}

function noUid(problem: string): SubstrateError {
  return new SubstrateError({
    errorClass: 'capacity',
    message: `${problem}: set a larger range`,
    transient: true,
  });
}

/** Throws if the folder could be another user's, who could then hand out uids. */
function placeOf(places: readonly string[]): string {
  const refusals: unknown[] = [];
  for (const place of places) {
    try {
      makeFolder(place, 0o700);
      accessSync(place, constants.W_OK);
    } catch (error) {
      refusals.push(error);
      continue;
    }
    const stats = lstatSync(place);
    if (stats.isDirectory() && stats.uid === process.geteuid?.() && (stats.mode & 0o077) === 0) return place;
    throw new Error(`${place} must be a folder of root with mode 0700`);
  }
  throw refusals[0];
}

/** No power cut loses a folder: a server adds those that exist when it starts. */
function openDatabase(path: string): Database {
  const database = new Database(path, { timeout: 0 });
  try {
    database.pragma('journal_mode = WAL');
    database.pragma('synchronous = NORMAL');
    database.exec(`CREATE TABLE IF NOT EXISTS claim (
      uid INTEGER NOT NULL, folder TEXT NOT NULL, claimed_at INTEGER NOT NULL, PRIMARY KEY (uid, folder)
    ) WITHOUT ROWID`);
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

/** Repeats work while another server writes. SQLite's own wait would block the event loop. */
async function patiently<Result>(work: () => Result): Promise<Result> {
  for (let tries = 1; ; tries += 1) {
    try {
      return work();
    } catch (error) {
      const isBusy = error instanceof SqliteError && error.code.startsWith('SQLITE_BUSY');
      if (!isBusy || tries === BUSY_TRIES) throw error;
    }
    await setTimeout(BUSY_RETRY_MS);
  }
}

async function isGone(folder: string): Promise<boolean> {
  try {
    await stat(folder);
    return false;
  } catch (error) {
    return ['ENOENT', 'ENOTDIR'].includes(codeOf(error));
  }
}
