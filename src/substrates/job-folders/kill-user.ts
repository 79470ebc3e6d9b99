import { spawn } from 'node:child_process';

/** The shell takes milliseconds. A process of the same user could stop it. */
const WAIT_MS = 1_000;

/**
 * Kills every process of a user that has no other purpose than one job. The kernel signals all of them in one
 * step, which not even processes that fork and exit all the time escape, and leaves out the caller. Returns
 * true only if that happened: a process of the user could kill the caller first.
 */
export async function killUser(uid: number): Promise<boolean> {
  if (!(uid > 0) || uid === process.getuid?.() || uid === process.geteuid?.()) {
    throw new Error('only the processes of a job’s own user can be killed by their user');
  }
  try {
    return await new Promise((resolve) => {
      const killer = spawn('/bin/sh', ['-c', 'kill -9 -1'], {
        cwd: '/',
        env: {},
        uid,
        gid: uid,
        stdio: 'ignore',
        timeout: WAIT_MS,
        killSignal: 'SIGKILL',
      });
      killer.once('error', () => resolve(false));
      killer.once('exit', (code) => resolve(code === 0));
    });
  } catch {
    // Some failures come as an event, and others are thrown.
    return false;
  }
}
