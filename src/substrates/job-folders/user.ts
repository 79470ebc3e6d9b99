import { statSync } from 'node:fs';
import { dirname } from 'node:path';
import type { JobsUser } from '../../config/jobs-user.ts';

/** The user and group that a process runs as. */
export interface ProcessUser {
  readonly uid: number;
  readonly gid: number;
}

/** Returns the variables that depend on the user of a command. `home` is for users without a home. */
export function environmentOf(user: JobsUser, home: string): Readonly<Record<string, string>> {
  return user.kind === 'one'
    ? { HOME: user.home ?? home, USER: user.name ?? String(user.uid), LOGNAME: user.name ?? String(user.uid) }
    : { HOME: home };
}

/** Variables of the server's environment that are about its own user only. */
export const OWN_TO_USER = ['HOME', 'USER', 'SHELL', 'TMPDIR'];

/** Returns the first folder on a path that this user may not pass through, or null. Ignores ACLs. */
export function closedFolder(path: string, user: ProcessUser): string | null {
  const folders = [path];
  while (folders[0] !== dirname(folders[0]!)) folders.unshift(dirname(folders[0]!));
  return folders.find((folder) => !mayPass(folder, user)) ?? null;
}

function mayPass(folder: string, { uid, gid }: ProcessUser): boolean {
  const { mode, uid: owner, gid: group } = statSync(folder);
  const bit = owner === uid ? 0o100 : group === gid ? 0o010 : 0o001;
  return (mode & bit) !== 0;
}
