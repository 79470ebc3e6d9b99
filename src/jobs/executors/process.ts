import { createHash } from 'node:crypto';
import { join } from 'node:path';
import type { RunnerJobHandle } from '../../contract/jobs.ts';
import { SubstrateError } from '../errors.ts';
import type { JobObservation, JobSpec, Substrate } from '../substrate.ts';
import { codeOf, LOG_FILE, OLD_LOG_FILE, readJobFile } from './process/files.ts';
import { type JobFolder, openJobFolders } from './process/folders.ts';
import { machineName, requireLinux } from './process/host.ts';
import { launchShim } from './process/launch.ts';
import { askToStop, forceEnd } from './process/stop.ts';
import { tailFiles } from './process/tail.ts';
import { createUsageMeter } from './process/usage.ts';
import { observe } from './process/verdict.ts';

export interface ProcessSubstrateOptions {
  /** Holds a folder for each job; made when it is not there. On a local disk, and for one machine alone. */
  readonly folder: string;
  /** Command lines by the image that stands for them; see {@link processImage}. */
  readonly commands: ReadonlyMap<string, readonly string[]>;
  /** Names this machine; by default its host name and its machine id. In containers, where both change, to be set. */
  readonly hostId?: string;
  /** The server's environment. A command gets {@link PASSED_ON} of it, and nothing else but its spec's. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
}

export interface ProcessSubstrateLimits {
  readonly pollMs: number;
  /** A job's shim has to have begun after so long. */
  readonly startMs: number;
  /** Between SIGTERM and SIGKILL, for a stop that does not say and for a run whose longest time is over. */
  readonly graceMs: number;
  /** A kill is left to the shim for so long. */
  readonly shimMs: number;
  /** Of each of the two halves of a job's log. */
  readonly logBytes: number;
  readonly tailBytes: number;
}

export const PROCESS_SUBSTRATE_LIMITS: ProcessSubstrateLimits = {
  pollMs: 500,
  startMs: 10_000,
  graceMs: 10_000,
  shimMs: 1_000,
  logBytes: 8 * 1024 * 1024,
  tailBytes: 256 * 1024,
};

/** What a program needs of its surroundings to be one, and no more: anything else may be the server's secret. */
export const PASSED_ON = ['PATH', 'HOME', 'USER', 'SHELL', 'LANG', 'LC_ALL', 'LC_CTYPE', 'TZ', 'TMPDIR'];

const DEFAULT_LINES = 100;

/** What Node's timers can count. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** The image that stands for a command line: the runner's name, and a digest that changes with the command line. */
export function processImage(runner: string, command: readonly string[]): string {
  return `${runner}@sha256:${createHash('sha256').update(JSON.stringify(command)).digest('hex')}`;
}

/**
 * The substrate that runs jobs as processes of this machine, each under a shim of its own that outlives the server. Under
 * systemd the server's unit needs `KillMode=process`, or its stop takes the jobs with it. Needs Linux, whose `/proc`
 * tells processes apart and finds those that left their group: a {@link SubstrateError} says so elsewhere. A spec's
 * `resources` are not enforced.
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
  const folders = openJobFolders(options.folder);
  const environment = passedOn(options.environment ?? {});
  const usage = createUsageMeter();
  const launching = new Map<string, Promise<void>>();
  const kills = new Map<string, NodeJS.Timeout>();

  function handleOf({ machineId }: JobFolder): RunnerJobHandle {
    return { appName: host, machineId };
  }

  function folderOf({ appName, machineId }: RunnerJobHandle): JobFolder | null {
    if (appName === host) return folders.ofMachine(machineId);
    throw new SubstrateError({
      errorClass: 'host_lost',
      message: `the job is on host ${appName}, and this is ${host}`,
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

  async function launch(
    { path, machineId }: JobFolder,
    spec: JobSpec,
    command: readonly string[],
  ): Promise<void> {
    if (readJobFile(path, 'pid.json')) return;
    const order = {
      machineId,
      command,
      env: { ...environment, ...spec.env },
      maxRunDurationMs: spec.maxRunDurationMs,
      deadlineGraceMs: graceMs,
      logBytes,
    };
    await launchShim(path, order, environment, startMs);
  }

  /** The shim kills in time; this is for one that was killed itself, or is stuck. */
  function killLater(folder: JobFolder, killAt: number): void {
    const { machineId } = folder;
    clearTimeout(kills.get(machineId));
    const due = () => {
      kills.delete(machineId);
      // Whoever asked asks again until it has an end, and is told then.
      forceEnd(folder, shimMs).catch(() => {});
    };
    const delay = Math.min(Math.max(0, killAt + shimMs - Date.now()), MAX_TIMER_MS);
    kills.set(machineId, setTimeout(due, delay).unref());
  }

  function forget(machineId: string): void {
    clearTimeout(kills.get(machineId));
    kills.delete(machineId);
    usage.forget(machineId);
  }

  async function observed(handle: RunnerJobHandle): Promise<JobObservation> {
    const folder = folderOf(handle);
    const observation = folder && observe(folder.path);
    if (!observation) {
      return {
        status: 'failed',
        terminalErrorClass: 'lost',
        terminalErrorMessage: 'the job has no folder',
        missing: true,
      };
    }
    const child = readJobFile(folder.path, 'child.json');
    if (observation.status === 'terminated' || observation.status === 'failed' || !child) return observation;
    return { ...observation, resourceStats: await usage.measure(folder.machineId, child) };
  }

  return {
    kind: 'process',
    host,
    showsEnvironment: false,
    pollMs,
    start: (spec) =>
      told('start a job', async () => {
        const command = commandOf(spec);
        const { workspaceId, runId, image, specHash } = spec;
        const folder = folders.make({ workspaceId, runId, image, specHash });
        if (folder.spec.specHash !== specHash) {
          throw new SubstrateError({
            errorClass: 'config_invalid',
            message: 'the run has a job with another spec',
          });
        }
        const { machineId } = folder;
        const launched = launching.get(machineId) ?? launch(folder, spec, command);
        launching.set(machineId, launched);
        await launched.finally(() => launching.delete(machineId));
        return handleOf(folder);
      }),
    getStatus: (handle) => told('look at a job', () => observed(handle)),
    stop: (handle, { graceMs: asked = graceMs } = {}) =>
      told('stop a job', async () => {
        const folder = folderOf(handle);
        const killAt = folder && (await askToStop(folder, Math.max(0, Math.floor(asked))));
        if (!folder || killAt === null) return;
        if (killAt + shimMs > Date.now()) killLater(folder, killAt);
        else await forceEnd(folder, shimMs);
      }),
    tailLogs: (handle, lines = DEFAULT_LINES) =>
      told('read a job’s log', async () => {
        const folder = folderOf(handle);
        const files = [LOG_FILE, OLD_LOG_FILE].map((name) => join(folder?.path ?? '', name));
        return folder && (await tailFiles(files, lines, tailBytes));
      }),
    find: ({ workspaceId, runId }) =>
      told('find a job', async () => {
        const folder = folders.ofRun(workspaceId, runId);
        return folder ? [handleOf(folder)] : [];
      }),
    list: () =>
      told('list the jobs', async () =>
        folders.all().map((folder) => ({
          handle: handleOf(folder),
          workspaceId: folder.spec.workspaceId,
          runId: folder.spec.runId,
          createdAt: folder.spec.createdAt,
        })),
      ),
    remove: (handle) =>
      told('remove a job', async () => {
        const folder = folderOf(handle);
        if (!folder) return;
        if ((await askToStop(folder, 0)) !== null) await forceEnd(folder, shimMs);
        forget(folder.machineId);
        await folders.remove(folder);
      }),
    close: async () => {
      for (const timer of kills.values()) clearTimeout(timer);
      kills.clear();
    },
  };
}

/** Gives what a call threw the substrate's own form. */
async function told<Value>(doing: string, call: () => Promise<Value>): Promise<Value> {
  try {
    return await call();
  } catch (error) {
    if (error instanceof SubstrateError) throw error;
    const code = codeOf(error);
    const full = ['EAGAIN', 'ENOMEM', 'EMFILE', 'ENFILE', 'ENOSPC', 'EDQUOT'].includes(code);
    throw new SubstrateError(
      {
        errorClass: full ? 'capacity' : 'substrate_error',
        message: `could not ${doing}${code && ` (${code})`}`,
        transient: true,
        mayExist: true,
      },
      { cause: error },
    );
  }
}

function passedOn(environment: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return Object.fromEntries(
    PASSED_ON.flatMap((name) => {
      const value = environment[name];
      return value === undefined ? [] : [[name, value]];
    }),
  );
}
