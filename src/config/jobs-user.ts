import { readFileSync } from 'node:fs';
import { echoed } from '../lib/text/echo.ts';

/** The user that runs the commands of jobs. */
export type JobsUser =
  /** All jobs as one user. `name` and `home` are null for a number without an entry in /etc/passwd. */
  | {
      readonly kind: 'one';
      readonly uid: number;
      readonly gid: number;
      readonly name: string | null;
      readonly home: string | null;
    }
  /** Each job as a separate user and group, with a number from this range (both ends included). */
  | { readonly kind: 'each'; readonly first: number; readonly last: number };

/** The user that JOBS_USER names, or what is wrong with the variable. */
export type JobsUserRead =
  | { readonly ok: true; readonly user: JobsUser }
  | { readonly ok: false; readonly problem: string };

/** What reading JOBS_USER depends on besides the variable. */
export interface JobsUserSurroundings {
  /** The server's user id. Undefined on systems without user ids. */
  readonly serverUid: number | undefined;
  /** The text of /etc/passwd. Empty if the file is missing, as in some containers. */
  readonly passwd: string;
}

/**
 * The highest valid id. The last two 32-bit numbers are reserved: "no change" to the kernel, "nobody" on some
 * systems.
 */
const MAX_ID = 2 ** 32 - 3;

/** Reads JOBS_USER: a name from /etc/passwd, UID, UID:GID, or FIRST-LAST for a separate user per job. */
export function readJobsUser(
  text: string,
  { serverUid, passwd }: JobsUserSurroundings = surroundings(),
): JobsUserRead {
  if (serverUid !== 0) {
    return refused(
      'requires a server that is started as root: only root can start a process as another user',
    );
  }
  const entries = passwd.split('\n').map((line) => {
    const [name = '', , uid, gid, , home = ''] = line.split(':');
    return { name, uid: Number(uid || Number.NaN), gid: Number(gid || Number.NaN), home };
  });
  const range = /^(\d{1,10})-(\d{1,10})$/.exec(text);
  if (range) {
    const [first, last] = [Number(range[1]), Number(range[2])];
    if (first === 0 || first > last || last > MAX_ID) return refused('must be a range FIRST-LAST above 0');
    const taken = entries.find(({ uid, gid }) => [uid, gid].some((id) => id >= first && id <= last));
    if (taken)
      return refused(`must be a range without users of /etc/passwd: it contains ${echoed(taken.name)}`);
    return { ok: true, user: { kind: 'each', first, last } };
  }
  const numbers = /^(\d{1,10})(?::(\d{1,10}))?$/.exec(text);
  const entry = entries.find(({ name, uid }) => (numbers ? uid === Number(numbers[1]) : name === text));
  if (!numbers && !entry)
    return refused('is not a user in /etc/passwd: set a name from that file, UID:GID or FIRST-LAST');
  const uid = numbers ? Number(numbers[1]) : entry?.uid;
  const gid = numbers?.[2] === undefined ? entry?.gid : Number(numbers[2]);
  if (uid === undefined || gid === undefined) {
    return refused('is a UID without an entry in /etc/passwd: add its group, as UID:GID');
  }
  if (uid === 0 || gid === 0) return refused('must not be root or have the group of root');
  if (!(uid <= MAX_ID && gid <= MAX_ID)) return refused(`must be numbers up to ${MAX_ID}`);
  return { ok: true, user: { kind: 'one', uid, gid, name: entry?.name ?? null, home: entry?.home || null } };
}

function surroundings(): JobsUserSurroundings {
  return { serverUid: process.getuid?.(), passwd: readPasswd() };
}

function readPasswd(): string {
  try {
    return readFileSync('/etc/passwd', 'utf8');
  } catch {
    return '';
  }
}

function refused(problem: string): JobsUserRead {
  return { ok: false, problem: `JOBS_USER ${problem}` };
}
