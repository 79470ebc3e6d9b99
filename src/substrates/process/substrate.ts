import { createHash } from 'node:crypto';
import { dirname, join, resolve } from 'node:path';
import type { JobsUser } from '../../config/jobs-user.ts';
import type { RunnerJobHandle } from '../../contract/jobs.ts';
import { makeFolder } from '../../lib/make-folder.ts';
import { createReleasers, type Releasers } from '../../lib/releasers.ts';
import { startingWith } from '../../lib/start-fault.ts';
import { SubstrateError } from '../errors.ts';
import { LOG_FILE, OLD_LOG_FILE, readJobFile, WORK_FOLDER } from '../job-folders/files.ts';
import { type JobFolder, openJobFolders, ownerFolder } from '../job-folders/folders.ts';
import type { UidRegistry } from '../job-folders/uids.ts';
import { closedFolder, environmentOf, OWN_TO_USER } from '../job-folders/user.ts';
import type { JobsOwner, OpenedSubstrate, SubstrateSetup } from '../setup.ts';
import { type JobObservation, type JobSpec, type LogTail, type Substrate, shownOf } from '../substrate.ts';
import { machineName, requireLinux } from './host.ts';
import { launchShim } from './launch.ts';
import { createLeftovers } from './leftovers.ts';
import {
  PROCESS_SUBSTRATE_LIMITS,
  type ProcessSubstrateLimits,
  type ProcessSubstrateOptions,
  passedOn,
} from './options.ts';
import { askToStop, forceEnd } from './stop.ts';
import { tailFiles } from './tail.ts';
import { told } from './told.ts';
import { createUsageMeter } from './usage.ts';
import { observe } from './verdict.ts';

const DEFAULT_LINES = 100;

/** The longest delay of Node's timers. */
const MAX_TIMER_MS = 2 ** 31 - 1;

const SILENT = { warn: () => {}, error: () => {} };

/** Logs are still wanted a day later. */
const KEEP_MS = 24 * 3_600_000;

/** Opens the substrate with the commands of its runners. */
export async function openSubstrate({
  runners,
  folder,
  owner,
  environment,
  jobsUser,
  log,
}: SubstrateSetup): Promise<OpenedSubstrate> {
  if (jobsUser) requireWay(resolve(folder), jobsUser);
  const images = new Map(
    runners.map(({ name, command }) => {
      if (command === null) throw new Error(`runner ${name} needs a command to run as a process`);
      return [name, { image: processImage(name, command), command }] as const;
    }),
  );
  const commands = new Map([...images.values()].map(({ image, command }) => [image, command]));
  requireLinux();
  const releasers = createReleasers();
  try {
    const options = { folder: resolve(folder), commands, environment, user: jobsUser, log };
    const substrate = await startingWith('JOBS_FOLDER', async () => {
      releasers.add(await takeFolder(options.folder, owner));
      const uids = jobsUser?.kind === 'each' ? await openUids(releasers) : null;
      return createProcessSubstrate({ ...options, owner: owner.id, uids });
    });
    releasers.add(substrate.close);
    return {
      substrate: { ...substrate, close: () => releasers.release() },
      imageOf: ({ name }) => images.get(name)?.image ?? name,
    };
  } catch (error) {
    await releasers.release();
    throw error;
  }
}

/** Any number of servers may have the folder of a Postgres database. */
async function takeFolder(root: string, { id, file }: JobsOwner): Promise<() => void> {
  if (file === null) return () => {};
  const folder = join(root, ownerFolder(id));
  makeFolder(folder, 0o700);
  // Loads the SQLite driver, which a server on Postgres may do without.
  const { takeOwnerFolder } = await import('../job-folders/owner.ts');
  const lock = await takeOwnerFolder(folder, file);
  return () => lock.release();
}

async function openUids(releasers: Releasers): Promise<UidRegistry> {
  const { openUidRegistry } = await import('../job-folders/uids.ts');
  const uids = await startingWith('JOBS_USER', () => openUidRegistry());
  releasers.add(() => uids.close());
  return uids;
}

/** Throws if commands could not reach the folders that they start in. */
function requireWay(folder: string, user: JobsUser): void {
  makeFolder(folder, 0o700);
  const { uid, gid } = user.kind === 'one' ? user : { uid: user.first, gid: user.first };
  const closed = closedFolder(dirname(folder), { uid, gid });
  if (closed === null) return;
  throw new Error(
    `JOBS_USER cannot pass through ${closed} to the jobs in ${folder}: set JOBS_FOLDER to a folder that it can reach, or run chmod o+x ${closed}`,
  );
}

/** Returns the image that stands for a command line: the runner's name and a digest of the command line. */
export function processImage(runner: string, command: readonly string[]): string {
  return `${runner}@sha256:${createHash('sha256').update(JSON.stringify(command)).digest('hex')}`;
}

/**
 * Creates a substrate that runs jobs as processes on this machine, each under its own shim, which outlives
 * the server. Under systemd the server's unit needs `KillMode=process`, or stopping it ends the jobs. Needs
 * Linux, whose `/proc` identifies processes and finds those that left their group; throws a
 * {@link SubstrateError} elsewhere. A spec's `resources` are not enforced.
 */
export function createProcessSubstrate(
  options: ProcessSubstrateOptions,
  limits: Partial<ProcessSubstrateLimits> = {},
): Substrate {
  const { pollMs, startMs, graceMs, shimMs, logBytes, tailBytes } = {
    ...PROCESS_SUBSTRATE_LIMITS,
    ...limits,
  };
  requireLinux();
  const host = options.hostId ?? machineName();
  const jobsUser = options.user ?? null;
  const { folder: root, owner, uids = null, log = SILENT } = options;
  const folders = openJobFolders({ root, owner, user: jobsUser, uids, log });
  const leftovers = createLeftovers(log);
  const environment = passedOn(options.environment ?? {});
  const usage = createUsageMeter();
  const launching = new Map<string, Promise<void>>();
  const kills = new Map<string, { readonly due: number; readonly timer: NodeJS.Timeout }>();

  function handleOf({ machineId }: JobFolder): RunnerJobHandle {
    return { appName: host, machineId };
  }

  function folderOf({ appName, machineId }: RunnerJobHandle): JobFolder | null {
    if (appName === host) return folders.ofMachine(machineId);
    throw new SubstrateError({
      errorClass: 'host_lost',
      message: `the job runs on host ${appName}, but this is ${host}`,
      transient: true,
    });
  }

  function commandOf({ image }: JobSpec): readonly string[] {
    const command = options.commands.get(image);
    if (command) return command;
    throw new SubstrateError({
      errorClass: 'config_invalid',
      message: `no command is configured for image ${image}`,
    });
  }

  async function launch(folder: JobFolder, spec: JobSpec): Promise<void> {
    const { path, machineId } = folder;
    if (readJobFile(path, 'pid.json')) return;
    const order = {
      machineId,
      command: commandOf(spec),
      env: { ...commandEnvironment(path), ...spec.env },
      user: jobsUser && folder.user(),
      isOwnUser: folder.ownUid() !== null,
      maxRunDurationMs: spec.maxRunDurationMs,
      deadlineGraceMs: graceMs,
      logBytes,
    };
    await launchShim(path, order, environment, startMs);
  }

  /** Another user gets its own HOME and the like. */
  function commandEnvironment(path: string): Readonly<Record<string, string>> {
    if (!jobsUser) return environment;
    const shared = Object.entries(environment).filter(([name]) => !OWN_TO_USER.includes(name));
    return { ...Object.fromEntries(shared), ...environmentOf(jobsUser, join(path, WORK_FOLDER)) };
  }

  /**
   * The shim kills in time; this is for a shim that was killed itself, or is stuck. Timed by the monotonic
   * clock, since the wall clock can be set. A later call can only bring the kill forward.
   */
  async function killLater(folder: JobFolder, graceMs: number): Promise<void> {
    const { machineId } = folder;
    const now = performance.now();
    const known = kills.get(machineId);
    if (known && known.due <= now) return endNow(folder);
    const due = now + graceMs + shimMs;
    if (known && known.due <= due) return;
    clearTimeout(known?.timer);
    // The caller repeats the stop until the job has ended, and then gets the error.
    const kill = () => void endNow(folder).catch(() => {});
    kills.set(machineId, { due, timer: setTimeout(kill, Math.min(due - now, MAX_TIMER_MS)).unref() });
  }

  async function endNow(folder: JobFolder): Promise<void> {
    if ((await forceEnd(folder, shimMs)) === 'unclear') leftovers.tell(folder);
  }

  function forget(machineId: string): void {
    clearTimeout(kills.get(machineId)?.timer);
    kills.delete(machineId);
    usage.forget(machineId);
    leftovers.forget(machineId);
  }

  async function observed(handle: RunnerJobHandle): Promise<JobObservation> {
    const folder = folderOf(handle);
    const child = folder && readJobFile(folder.path, 'child.json');
    const observation = folder && observe(folder.path, child);
    if (!observation) {
      usage.forget(handle.machineId);
      return {
        status: 'failed',
        terminalErrorClass: 'lost',
        terminalErrorMessage: 'the job’s folder does not exist',
        missing: true,
      };
    }
    if (observation.status === 'terminated' || observation.status === 'failed') {
      usage.forget(handle.machineId);
      if (readJobFile(folder.path, 'exit.json')?.left) leftovers.tell(folder);
      return observation;
    }
    if (!child) return observation;
    return { ...observation, resourceStats: await usage.measure(folder.machineId, child) };
  }

  function logTail(handle: RunnerJobHandle, lines: number, marginBytes: number): Promise<LogTail | null> {
    return told('read a job’s log', async () => {
      const folder = folderOf(handle);
      const files = [LOG_FILE, OLD_LOG_FILE].map((name) => join(folder?.path ?? '', name));
      return folder && (await tailFiles(files, lines, tailBytes, marginBytes));
    });
  }

  return {
    kind: 'process',
    host,
    showsEnvironment: false,
    pollMs,
    keepEndedMs: KEEP_MS,
    machineClaims: true,
    start: (spec) =>
      told('start a job', async () => {
        const { workspaceId, runId, image, specHash } = spec;
        // A running job is found even if its command is no longer configured.
        const folder =
          folders.ofRun(spec) ??
          (commandOf(spec) && (await folders.make({ workspaceId, runId, image, specHash })));
        if (folder.spec.specHash !== specHash) {
          throw new SubstrateError({
            errorClass: 'config_invalid',
            message: 'the run already has a job with another spec',
          });
        }
        const { machineId } = folder;
        const launched = launching.get(machineId) ?? launch(folder, spec);
        launching.set(machineId, launched);
        await launched.finally(() => launching.delete(machineId));
        return handleOf(folder);
      }),
    getStatus: (handle) => told('check the status of a job', () => observed(handle)),
    stop: (handle, { graceMs: asked = graceMs } = {}) =>
      told('stop a job', async () => {
        const folder = folderOf(handle);
        const withinMs = Math.min(Math.max(0, Math.floor(asked)), MAX_TIMER_MS);
        if (folder && (await askToStop(folder, withinMs))) await killLater(folder, withinMs);
      }),
    tailLogs: async (handle, lines = DEFAULT_LINES) => shownOf(await logTail(handle, lines, 0)),
    logTail,
    find: (run) =>
      told('find a job', async () => {
        const folder = folders.ofRun(run);
        return folder ? [handleOf(folder)] : [];
      }),
    list: () =>
      told('list the jobs', async () =>
        (await folders.all()).map((folder) => ({
          handle: handleOf(folder),
          workspaceId: folder.spec.workspaceId,
          runId: folder.spec.runId,
          createdAt: folder.spec.createdAt,
          // A restored database does not know the latest jobs, and older versions shared the folder.
          ownedIfHash: folder.spec.specHash,
        })),
      ),
    remove: (handle) =>
      told('remove a job', async () => {
        const folder = folderOf(handle);
        if (!folder) return folders.finishRemoval(handle.machineId);
        if (await askToStop(folder, 0)) await endNow(folder);
        forget(folder.machineId);
        await folders.remove(folder);
      }),
    close: async () => {
      for (const { timer } of kills.values()) clearTimeout(timer);
      kills.clear();
    },
  };
}
