import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { codeOf } from '../../lib/text/error-line.ts';
import {
  claimStart,
  type JobFile,
  LOG_FILE,
  OLD_LOG_FILE,
  storeJobFile,
  WORK_FOLDER,
  writeJobFile,
} from '../job-folders/files.ts';
import { ownIdentity, statOf } from '../job-folders/proc.ts';
import { type Killed, killAll } from '../process/kill.ts';
import { MACHINE_ID_VARIABLE } from '../process/look.ts';
import type { Order } from '../process/order.ts';
import { openCappedLog } from './capped-log.ts';
import { guardGroup } from './guard.ts';

/**
 * The program between server and command. It outlives the server. It is the command's parent, so only it
 * learns how the command ended and can signal it without any doubt about its identity. It starts the command
 * once, keeps its output, enforces its deadline and its kill, and writes its exit.
 *
 * It runs in Node rather than in `sh`, which can neither cut logs nor keep a clock: 44 MB resident, of which
 * 8 are its own and the rest is shared with every other Node, and 50 ms to start (measured on x86-64, Node
 * 20; V8's flags made no difference).
 *
 * It works in the job's folder by relative paths: once the folder is removed, nothing can be found or created
 * in it, not even if another folder has taken its name.
 */
const FOLDER = '.';

/** How long to wait for output after the end, from pipes held by something that could not be killed. */
const DRAIN_MS = 500;

const EXIT_TRIES = 60;
const EXIT_RETRY_MS = 1_000;

type End = Pick<JobFile<'exit.json'>, 'exitCode' | 'signal' | 'error'>;

// A terminal's signals are not for a job, and SIGTERM is the guard's. Installed before this pid is known.
for (const signal of ['SIGINT', 'SIGHUP', 'SIGTERM'] as const) process.on(signal, () => {});

const self = ownIdentity();
// Once the order is read, the server may die. A truncated order is not JSON: the shim ends, nothing begun.
const order = JSON.parse(readFileSync(0, 'utf8')) as Order;
if (await claimStart(FOLDER, self)) await run();
process.exit(0);

async function run(): Promise<void> {
  const child = start();
  if ('error' in child) return writeExit({ exitCode: null, signal: null, ...child }, 'own');
  const closed = new Promise((resolve) => child.once('close', resolve));
  const ended = new Promise<End>((resolve) => {
    child.once('error', (error) => resolve({ exitCode: null, signal: null, error: codeOf(error) }));
    child.once('exit', (exitCode, signal) => resolve({ exitCode, signal, error: null }));
  });
  // Without a pid the command could not be started, and the `error` event says why.
  if (child.pid === undefined) return writeExit(await ended, 'own');

  const guard = guardGroup(FOLDER, child.pid, order);
  const main = { pid: child.pid, startTime: statOf(child.pid)?.startTime ?? 0 };
  const problem = noteChild(main);
  if (problem) guard.kill();
  const end = await ended;
  const finishedAt = Date.now();
  // As with a machine: when the main process ends, everything else ends.
  guard.kill();
  const uid = order.isOwnUser ? (order.user?.uid ?? null) : null;
  const killed = await killAll({ machineId: order.machineId, shim: self, child: main, uid });
  await Promise.race([closed, setTimeout(DRAIN_MS)]);
  await writeExit(problem ? { ...end, error: problem } : end, guard.release(), killed, finishedAt);
}

/** Starts the command in its own session, so that its group can be killed at once and without the shim. */
function start(): ReturnType<typeof spawn> | { readonly error: string } {
  const [program = '', ...args] = order.command;
  const log = openCappedLog(LOG_FILE, OLD_LOG_FILE, order.logBytes);
  // The server's own umask hides everything from other users, which is not what programs expect.
  process.umask(0o022);
  try {
    const child = spawn(program, args, {
      cwd: WORK_FOLDER,
      env: { ...order.env, [MACHINE_ID_VARIABLE]: order.machineId },
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
      // Node (libuv) also drops the supplementary groups when it changes the user.
      ...order.user,
    });
    child.stdout.on('data', log.write);
    child.stderr.on('data', log.write);
    return child;
  } catch (error) {
    // Some failures come as an event, and others, such as E2BIG, are thrown.
    return { error: codeOf(error) };
  }
}

/** Returns an error code on failure. Then the command must end: no other process could find it. */
function noteChild(main: JobFile<'child.json'>): string | null {
  try {
    writeJobFile(FOLDER, 'child.json', main);
    return null;
  } catch (error) {
    return codeOf(error);
  }
}

/** Retries: a disk may be full at the end just because of what the job wrote, and be cleared soon after. */
async function writeExit(
  end: End,
  cause: string,
  killed: Killed = 'all',
  finishedAt = Date.now(),
): Promise<void> {
  const left = killed === 'all' ? null : killed;
  for (let tries = 1; ; tries += 1) {
    try {
      return await storeJobFile(FOLDER, 'exit.json', { ...end, cause, finishedAt, left });
    } catch (error) {
      if (codeOf(error) === 'ENOENT' || tries === EXIT_TRIES) throw error;
      await setTimeout(EXIT_RETRY_MS);
    }
  }
}
