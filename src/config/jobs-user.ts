import { readFileSync } from 'node:fs';

/** The user that the commands of jobs run as. */
export interface JobsUser {
  readonly uid: number;
  readonly gid: number;
  /** Null for a number without an entry in /etc/passwd. */
  readonly name: string | null;
  readonly home: string | null;
}

/** What JOBS_USER names, or what is wrong with it. */
export type JobsUserRead =
  | { readonly ok: true; readonly user: JobsUser }
  | { readonly ok: false; readonly problem: string };

const MAX_ID = 2 ** 32 - 2;

/** Reads JOBS_USER: a name of /etc/passwd, UID or UID:GID. `serverUid` is who the server itself runs as. */
export function readJobsUser(
  text: string,
  serverUid: number | undefined = process.getuid?.(),
  passwd: () => string = () => readFileSync('/etc/passwd', 'utf8'),
): JobsUserRead {
  if (serverUid !== 0) {
    return refused('needs a server that is started as root: only root can run a job as another user');
  }
  const numbers = /^(\d{1,10})(?::(\d{1,10}))?$/.exec(text);
  const entries = entriesOf(passwd);
  const entry = entries.find(({ name, uid }) => (numbers ? uid === Number(numbers[1]) : name === text));
  if (!numbers && !entry) return refused('names no user of /etc/passwd: use such a name, UID or UID:GID');
  const uid = numbers ? Number(numbers[1]) : entry?.uid;
  const gid = numbers?.[2] === undefined ? entry?.gid : Number(numbers[2]);
  if (uid === undefined || gid === undefined) {
    return refused('is a number without an entry in /etc/passwd: give its group, too, as UID:GID');
  }
  if (uid === 0 || gid === 0) return refused('must not be root, nor of its group: root reads everything');
  if (uid > MAX_ID || gid > MAX_ID) return refused('must be numbers of at most 32 bits');
  return { ok: true, user: { uid, gid, name: entry?.name ?? null, home: entry?.home ?? null } };
}

function entriesOf(passwd: () => string) {
  try {
    return passwd()
      .split('\n')
      .map((line) => line.split(':'))
      .map(([name = '', , uid, gid, , home = '']) => ({ name, uid: Number(uid), gid: Number(gid), home }));
  } catch {
    // A container without such a file has only numbers.
    return [];
  }
}

function refused(problem: string): JobsUserRead {
  return { ok: false, problem: `JOBS_USER ${problem}` };
}
