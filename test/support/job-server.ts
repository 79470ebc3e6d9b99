import { randomBytes, randomUUID } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Runner } from '../../src/auth/principal.ts';
import { createRunTokens } from '../../src/auth/tokens.ts';
import { createKeyring } from '../../src/lib/secrets/keyring.ts';
import { freshSqliteUrl } from './databases.ts';
import { releaseAfterwards } from './releases.ts';
import { type Answer, post } from './request.ts';
import { eventually } from './runs.ts';
import { startTestServer } from './server.ts';

/** Returns a new key in the format of SECRET_KEYS. */
export const newKey = () => randomBytes(32).toString('base64');

const WORKER = `
  const { RUNFEED_API_BASE, RUNFEED_RUN_ID: runId, RUNFEED_RUNNER_TOKEN } = process.env;
  const ask = async (token, query, variables) => {
    const headers = { 'content-type': 'application/json', authorization: 'Bearer ' + token };
    const body = JSON.stringify({ query, variables });
    return (await (await fetch(RUNFEED_API_BASE + '/graphql', { method: 'POST', headers, body })).json()).data;
  };
  (async () => {
    const { claimJob } = await ask(RUNFEED_RUNNER_TOKEN,
      'mutation { claimJob(instance: "' + process.pid + '") { ... on ClaimJobSuccess { payload env token nextSeq } } }');
    console.log('the key is ' + process.env.MODEL_KEY + ', the task ' + claimJob.payload.prompt);
    const events = [
      { seq: claimJob.nextSeq, tMs: 0, kind: 'assistant_text', data: { text: 'done' } },
      { seq: claimJob.nextSeq + 1, tMs: 1, kind: 'runtime_terminal', data: { outcome: 'success' } },
    ];
    await ask(claimJob.token, 'mutation ($b: RunnerEventBatchInput!) { ingestEvents(batch: $b) { __typename } }',
      { b: { v: 1, runId, events } });
  })();
`;

/** Runners for every kind of test, as processes on this machine. */
const RUNNERS = {
  sleeper: { substrate: 'process', providers: ['openai', 'anthropic'], command: ['sleep', '120'] },
  printer: {
    substrate: 'process',
    providers: ['openai'],
    command: ['sh', '-c', 'echo one; echo two; exit 3'],
  },
  worker: {
    substrate: 'process',
    providers: ['openai'],
    command: [process.execPath, '-e', WORKER],
    secrets: { MODEL_KEY: '$TEST_MODEL_KEY' },
  },
  wrapper: {
    substrate: 'process',
    providers: ['openai'],
    command: [
      'sh',
      '-c',
      'printf %s "$MODEL_KEY" | base64 -w 10; printf %s "$MODEL_KEY" | fold -w 7; echo; echo all',
    ],
    secrets: { MODEL_KEY: '$TEST_MODEL_KEY' },
  },
  // The point 256 KiB before the end is in the middle of the key.
  'long-line': {
    substrate: 'process',
    providers: ['openai'],
    command: [
      ...[process.execPath, '-e'],
      `process.stdout.write('x'.repeat(9000) + process.env.MODEL_KEY + 'y'.repeat(${256 * 1024 - 8}))`,
    ],
    secrets: { MODEL_KEY: '$TEST_MODEL_KEY' },
  },
  small: {
    substrate: 'process',
    providers: ['mistral'],
    command: ['sleep', '120'],
    resources: { cpus: 1, memoryMb: 256 },
    maxRunDurationMs: 60_000,
  },
};

/** A server with runners. */
export interface JobServer {
  readonly graphql: string;
  /** Sends a request as the operator, or with a token. */
  ask(
    query: string,
    variables?: unknown,
    token?: string,
  ): Promise<{ readonly status: number; readonly body: Answer }>;
  /** Creates a token like the server does, optionally with a right and another key. */
  token(runId: string, right?: Runner['right'], options?: TokenOptions): Promise<string>;
  /** Closes the server. Its jobs keep running. */
  leave(): Promise<void>;
}

interface TokenOptions {
  readonly key?: string;
  readonly expiresAt?: number;
  readonly workspace?: string;
}

/** The settings of a job server, to start another one like it. */
export interface JobServerPlace {
  readonly databaseUrl: string;
  readonly folder: string;
}

/** Creates settings for a job server. Everything they refer to is removed after the test. */
export async function jobServerPlace(): Promise<JobServerPlace> {
  const databaseUrl = await freshSqliteUrl();
  const folder = await mkdtemp(join(tmpdir(), 'runfeed-jobs-'));
  releaseAfterwards(() => rm(folder, { recursive: true, force: true }));
  return { databaseUrl, folder };
}

/** Starts a job server. After the test its jobs are killed and it is closed. */
export async function startJobServer(
  keys: readonly [string, ...string[]] = [newKey()],
  at?: JobServerPlace,
): Promise<JobServer> {
  const { databaseUrl, folder } = at ?? (await jobServerPlace());
  const file = join(folder, 'runners.json');
  await writeFile(file, JSON.stringify({ runners: RUNNERS }));
  const server = await startTestServer({
    DATABASE_URL: databaseUrl,
    RUNNERS_FILE: file,
    JOBS_FOLDER: join(folder, 'jobs'),
    SECRET_KEYS: keys.join(','),
    TEST_MODEL_KEY: 'sk-test-model-key',
    PATH: process.env.PATH ?? '',
    ORPHAN_SWEEP: 'off',
  });
  const ask = (query: string, variables?: unknown, token?: string) =>
    post(server.graphql, query, variables, token === undefined ? {} : { authorization: `Bearer ${token}` });
  let closed: Promise<void> | undefined;
  const leave = () => {
    closed ??= server.close();
    return closed;
  };
  releaseAfterwards(async () => {
    if (!closed) await stopAll(ask);
    await leave();
  });
  return {
    graphql: server.graphql,
    ask,
    token: (runId, right = { may: 'claim' }, { key = keys[0], expiresAt, workspace = 'default' } = {}) =>
      createRunTokens(createKeyring([Buffer.from(key, 'base64')])).issue({
        kind: 'runner',
        workspace,
        runId,
        right,
        expiresAt: expiresAt ?? Date.now() + 3_600_000,
      }),
    leave,
  };
}

const LIVING =
  '{ jobs(filter: { statuses: [queued, provisioning, running, stopping] }, first: 100) { nodes { run { id } } } }';

async function stopAll(ask: JobServer['ask']): Promise<void> {
  await eventually(async () => {
    const { body } = await ask(LIVING);
    const { nodes } = body.data!.jobs as unknown as { nodes: { run: { id: string } }[] };
    for (const { run } of nodes) {
      await ask('mutation ($id: ID!) { stopJob(input: { runId: $id, graceMs: 0 }) { __typename } }', {
        id: run.id,
      });
    }
    return nodes.length === 0;
  }, 20_000);
}

export const START_JOB = `mutation ($i: StartJobInput!) { startJob(input: $i) {
  __typename
  ... on StartJobSuccess { created job { status runner } }
  ... on Error { code message }
} }`;

/** Starts a job with the sleeping runner and returns the id of its run. */
export async function sleeping({ ask }: JobServer, more: object = {}): Promise<string> {
  const runId = randomUUID();
  const { body } = await ask(START_JOB, { i: { runId, provider: 'openai', runner: 'sleeper', ...more } });
  const answer = body.data?.startJob as unknown as { __typename: string } | undefined;
  if (answer?.__typename !== 'StartJobSuccess') throw new Error(JSON.stringify(body));
  return runId;
}

/** Waits until the job of a run meets the condition, and returns these fields of it. */
export async function jobWhen<Job>(
  { ask }: JobServer,
  runId: string,
  fields: string,
  wished: (job: Job) => boolean,
): Promise<Job> {
  let job: Job | null = null;
  await eventually(async () => {
    const { body } = await ask(`query ($id: ID!) { job(runId: $id) { ${fields} } }`, { id: runId });
    if (!body.data) throw new Error(JSON.stringify(body.errors));
    job = body.data.job as unknown as Job | null;
    return job !== null && wished(job);
  }, 20_000).catch((cause: unknown) => {
    throw new Error(`timed out: the job is still ${JSON.stringify(job)}`, { cause });
  });
  return job!;
}
