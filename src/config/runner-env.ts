import { z } from 'zod';
import { credentialsIn } from '../lib/credentials.ts';

/** What a runner is told by the environment that its job gave it. */
export interface RunnerEnvironment {
  readonly runId: string;
  /** The server, without a path. */
  readonly apiBase: string;
  /** To claim the job with. */
  readonly token: string;
  /** Names the machine, or this process, among others that were started for the same job. */
  readonly instance: string;
}

const variables = z.object({
  RUNFEED_RUN_ID: z.string().min(1),
  RUNFEED_API_BASE: z.url(),
  RUNFEED_RUNNER_TOKEN: z.string().min(1),
  FLY_MACHINE_ID: z.string().optional(),
  RUNFEED_MACHINE_ID: z.string().optional(),
});

/** Reads it, by default from this process's environment; null where this is no job's runner. */
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
    // A runner that is started again on its machine is the same one, and may go on. Elsewhere a process id is given
    // again; with the time of its start it is not.
    instance: machine || `${process.pid}@${Math.round(performance.timeOrigin)}`,
  };
}

/** Values of the environment, by default this process's, that are secret by their names or look like credentials. */
export function secretsInEnvironment(
  env: Readonly<Record<string, string | undefined>> = process.env,
): readonly string[] {
  return credentialsIn(env);
}

/** What opens the run to whoever has it. An agent runs what a model wrote, which must not be able to. */
const KEPT_BACK = ['RUNFEED_RUNNER_TOKEN', 'RUNFEED_TOKEN'];

/** The environment for a command that a runner starts: its own, by default this process's, with these added. */
export function commandEnvironment(
  added: Readonly<Record<string, string>>,
  env: Readonly<Record<string, string | undefined>> = process.env,
): Readonly<Record<string, string | undefined>> {
  const own = Object.entries(env).filter(([name]) => !KEPT_BACK.includes(name));
  return { ...Object.fromEntries(own), ...added };
}
