import { z } from 'zod';
import { credentialsIn } from '../lib/secrets/credentials.ts';

/** What a job tells its runner through the environment. */
export interface RunnerEnvironment {
  readonly runId: string;
  /** The server's URL, without a path. */
  readonly apiBase: string;
  /** The token with which to claim the job. */
  readonly token: string;
  /** Identifies the machine, or this process, among others that were started for the same job. */
  readonly instance: string;
}

const variables = z.object({
  RUNFEED_RUN_ID: z.string().min(1),
  RUNFEED_API_BASE: z.url(),
  RUNFEED_RUNNER_TOKEN: z.string().min(1),
  FLY_MACHINE_ID: z.string().optional(),
  RUNFEED_MACHINE_ID: z.string().optional(),
});

/** Reads a runner's environment, by default this process's. Null if this process is not a job's runner. */
export function readRunnerEnvironment(
  env: Readonly<Record<string, string | undefined>> = process.env,
): RunnerEnvironment | null {
  const parsed = variables.safeParse(env);
  if (!parsed.success) return null;
  const { RUNFEED_RUN_ID, RUNFEED_API_BASE, RUNFEED_RUNNER_TOKEN } = parsed.data;
  const machine = parsed.data.FLY_MACHINE_ID || parsed.data.RUNFEED_MACHINE_ID;
  return {
    runId: RUNFEED_RUN_ID,
    apiBase: RUNFEED_API_BASE,
    token: RUNFEED_RUNNER_TOKEN,
    // A runner that restarts on its machine counts as the same instance and may continue. Elsewhere a process
    // id may be reused, but not together with its start time.
    instance: machine || `${process.pid}@${Math.round(performance.timeOrigin)}`,
  };
}

/**
 * Returns the values of an environment (by default this process's) that are secret by name or look like
 * credentials.
 */
export function secretsInEnvironment(
  env: Readonly<Record<string, string | undefined>> = process.env,
): readonly string[] {
  return credentialsIn(env);
}

/**
 * Variables that grant access to the run. An agent executes what a model wrote, which must not have this
 * access.
 */
const KEPT_BACK = ['RUNFEED_RUNNER_TOKEN', 'RUNFEED_TOKEN'];

/**
 * Returns the environment for a command that a runner starts: the runner's own (by default this process's)
 * without access tokens, plus the added variables.
 */
export function commandEnvironment(
  added: Readonly<Record<string, string>>,
  env: Readonly<Record<string, string | undefined>> = process.env,
): Readonly<Record<string, string | undefined>> {
  const own = Object.entries(env).filter(([name]) => !KEPT_BACK.includes(name));
  return { ...Object.fromEntries(own), ...added };
}
