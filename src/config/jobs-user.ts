import { readFileSync } from 'node:fs';

/** Who the commands of jobs run as. */
export type JobsUser =
  /** All as one user. `name` and `home` are null for a number without an entry in /etc/passwd. */
  | {
      readonly kind: 'one';
      readonly uid: number;
      readonly gid: number;
      readonly name: string | null;
      readonly home: string | null;
    }
  /** Each as a user and group of its own, with a number from this range, both ends included. */
  | { readonly kind: 'each'; readonly first: number; readonly last: number };

/** What JOBS_USER names, or what is wrong with it. */
export type JobsUserRead =
  | { readonly ok: true; readonly user: JobsUser }
  | { readonly ok: false; readonly problem: string };

/** What the reading depends on besides the variable. */
export interface JobsUserSurroundings {
  /** Who the server runs as; undefined: a system without such numbers. */
  readonly serverUid: number | undefined;
  /** The text of /etc/passwd; empty where there is none, as in some containers. */
  readonly passwd: string;
}

/** The last two numbers mean "no change" to the kernel, and "nobody" to some. */
const MAX_ID = 2 ** 32 - 3;

/** Reads JOBS_USER: a name of /etc/passwd, UID, UID:GID, or FIRST-LAST for a user of its own for each job. */
export function readJobsUser(
  text: string,
  { serverUid, passwd }: JobsUserSurroundings = surroundings(),
): JobsUserRead {
  if (serverUid !== 0) {
    return refused('needs a server that is started as root: only root can start a process as another user');
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
    if (taken) return refused(`must be a range that no user of /etc/passwd is in: ${taken.name} is`);
    return { ok: true, user: { kind: 'each', first, last } };
  }
  const numbers = /^(\d{1,10})(?::(\d{1,10}))?$/.exec(text);
  const entry = entries.find(({ name, uid }) => (numbers ? uid === Number(numbers[1]) : name === text));
  if (!numbers && !entry) return refused('names no user of /etc/passwd: use one, or UID:GID, or FIRST-LAST');
  const uid = numbers ? Number(numbers[1]) : entry?.uid;
  const gid = numbers?.[2] === undefined ? entry?.gid : Number(numbers[2]);
  if (uid === undefined || gid === undefined) {
    return refused('is a number without an entry in /etc/passwd: give its group, too, as UID:GID');
  }
  if (uid === 0 || gid === 0) return refused('must be neither root nor of its group');
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
