import { randomUUID } from 'node:crypto';
import { beforeAll, describe, expect, test } from 'vitest';
import { openEventStream } from '../support/event-stream.ts';
import { type JobServer, jobWhen, START_JOB, sleeping, startJobServer } from '../support/job-server.ts';
import type { Answer } from '../support/request.ts';
import { openWebsocket } from '../support/websocket-client.ts';

let server: JobServer;
beforeAll(async () => {
  server = await startJobServer();
});

interface Outcome {
  readonly __typename: string;
  readonly code?: string;
  readonly created?: boolean;
  readonly job?: { readonly status: string; readonly runner: string };
}

async function start(input: object): Promise<Outcome> {
  const { body } = await server.ask(START_JOB, { i: input });
  if (!body.data) throw new Error(JSON.stringify(body));
  return body.data.startJob as unknown as Outcome;
}

async function badInput(input: object): Promise<unknown> {
  const { body } = await server.ask(START_JOB, { i: { runId: randomUUID(), provider: 'openai', ...input } });
  const [error] = body.errors ?? [];
  expect(error?.extensions.code).toBe('BAD_USER_INPUT');
  return error?.extensions.issues;
}

const STOP = `mutation ($i: StopJobInput!) { stopJob(input: $i) {
  __typename ... on StopJobSuccess { job { status } } ... on Error { code }
} }`;

async function stop(runId: string, graceMs?: number): Promise<Outcome> {
  const { body } = await server.ask(STOP, { i: { runId, graceMs } });
  if (!body.data) throw new Error(JSON.stringify(body));
  return body.data.stopJob as unknown as Outcome;
}

interface Job {
  readonly status: string;
  readonly exitCode: number | null;
  readonly terminalErrorClass: string | null;
}
const FIELDS = 'status exitCode terminalErrorClass';
const isOver = ({ status }: Job) => status === 'terminated' || status === 'failed';

async function terminalOf(runId: string): Promise<Record<string, unknown>> {
  await expect
    .poll(
      async () =>
        (await server.ask('query ($id: ID!) { run(id: $id) { ended } }', { id: runId })).body.data?.run,
      {
        timeout: 20_000,
      },
    )
    .toEqual({ ended: true });
  const { body } = await server.ask('query ($id: ID!) { run(id: $id) { terminal { data } } }', { id: runId });
  return (body.data!.run as unknown as { terminal: { data: Record<string, unknown> } }).terminal.data;
}

describe('startJob', () => {
  test('creates the run and its job; twenty identical calls at once return the same job', async () => {
    const input = {
      runId: randomUUID(),
      provider: 'openai',
      runner: 'sleeper',
      title: 'Count',
      labels: { a: 1 },
      payload: { n: 3 },
    };
    const answers = await Promise.all(Array.from({ length: 20 }, () => start(input)));
    expect(new Set(answers.map(({ __typename }) => __typename))).toEqual(new Set(['StartJobSuccess']));
    expect(answers.filter(({ created }) => created)).toHaveLength(1);
    const { body } = await server.ask(
      'query ($id: ID!) { run(id: $id) { title labels runtime job { runner run { id } } } }',
      { id: input.runId },
    );
    expect(body.data?.run).toEqual({
      title: 'Count',
      labels: { a: 1 },
      runtime: 'managed',
      job: { runner: 'sleeper', run: { id: input.runId } },
    });
    expect(await start({ ...input, title: 'Another' })).toMatchObject({ created: false });
    for (const other of [
      { payload: { n: 4 } },
      { payload: null },
      { maxRunDurationMs: 5_000 },
      { runner: 'worker' },
    ]) {
      expect(await start({ ...input, ...other })).toMatchObject({
        __typename: 'JobRefused',
        code: 'job_conflict',
      });
    }
    expect(await start({ ...input, provider: 'anthropic', runtime: 'managed' })).toMatchObject({
      code: 'run_conflict',
    });
  });

  test('is refused without a suitable runner, and for native runs', async () => {
    const runId = randomUUID();
    expect(await start({ runId, provider: 'anthropic' })).toMatchObject({ code: 'native_run_has_no_job' });
    expect(await start({ runId, provider: 'gemini' })).toMatchObject({
      code: 'runner_runtime_not_implemented',
    });
    expect(await start({ runId, provider: 'openai', runner: 'nobody' })).toMatchObject({
      code: 'runner_runtime_not_implemented',
    });
    expect((await server.ask('query ($id: ID!) { run(id: $id) { id } }', { id: runId })).body.data).toEqual({
      run: null,
    });
    expect(
      await start({ runId, provider: 'anthropic', runtime: 'managed', runner: 'sleeper' }),
    ).toMatchObject({ created: true });
  });

  test('is refused for a run that has ended', async () => {
    const runId = randomUUID();
    await server.ask(
      'mutation ($id: ID!) { createRun(input: { id: $id, provider: openai }) { __typename } }',
      { id: runId },
    );
    await server.ask('mutation ($id: ID!) { endRun(input: { runId: $id }) { __typename } }', { id: runId });
    expect(await start({ runId, provider: 'openai', runner: 'sleeper' })).toMatchObject({
      code: 'run_terminated',
    });
  });

  test('names the field that exceeds the runner’s limit', async () => {
    const small = { provider: 'mistral' };
    expect(await badInput({ ...small, maxRunDurationMs: 60_001 })).toEqual([
      { path: ['input', 'maxRunDurationMs'], message: 'must be at most 60000 for runner small' },
    ]);
    expect(await badInput({ ...small, region: 'mars' })).toMatchObject([{ path: ['input', 'region'] }]);
    expect(await badInput({ ...small, resources: { cpus: 2, memoryMb: 1 } })).toMatchObject([
      { path: ['input', 'resources'] },
    ]);
    expect(await badInput({ maxRunDurationMs: 0 })).toMatchObject([{ path: ['input', 'maxRunDurationMs'] }]);
  });

  test('accepts a payload of up to 1 MiB of JSON, and refuses larger or deeper ones', async () => {
    const text = (length: number) => ({ text: 'x'.repeat(length - '{"text":""}'.length) });
    await sleeping(server, { payload: text(1024 * 1024) });
    expect(JSON.stringify(await badInput({ payload: text(1024 * 1024 + 1) }))).toContain('1048576 bytes');
    let deep: object = {};
    for (let level = 0; level < 3_000; level += 1) deep = { deep };
    expect(await badInput({ payload: deep })).toMatchObject([{ path: ['input', 'payload'] }]);
  });
});

describe('a job', () => {
  test('claims, works and ends its run; its output is kept, without its secrets', async () => {
    const runId = randomUUID();
    await start({
      runId,
      provider: 'openai',
      runner: 'worker',
      payload: { prompt: 'use sk-test-of-the-task-1234' },
    });
    const job = await jobWhen<Job>(server, runId, FIELDS, isOver);
    expect(job).toEqual({ status: 'terminated', exitCode: 0, terminalErrorClass: null });
    expect(await terminalOf(runId)).toEqual({ outcome: 'success' });
    const { body } = await server.ask(
      'query ($id: ID!) { job(runId: $id) { logs substrate region image startedAt endedAt handle { appName machineId } consoleUrl } }',
      { id: runId },
    );
    expect(body.data?.job).toMatchObject({
      logs: expect.stringContaining('the key is [redacted], the task use [redacted]'),
      substrate: 'process',
      region: 'local',
      image: expect.stringMatching(/^worker@sha256:[0-9a-f]{64}$/),
      consoleUrl: null,
    });
    expect(JSON.stringify(body)).not.toContain('sk-test-model-key');
  });

  test.each([
    ['wrapper', '[redacted]\n[redacted]\nall\n'],
    ['long-line', `[redacted]${'y'.repeat(256 * 1024 - 8)}`],
  ])(
    'shows no part of a secret that it wrapped or encoded, or that the log cuts: %s',
    async (runner, logs) => {
      const runId = randomUUID();
      await start({ runId, provider: 'openai', runner });
      await jobWhen<Job>(server, runId, FIELDS, isOver);
      const query = 'query ($id: ID!) { job(runId: $id) { logs(lines: 10000) } }';
      const asked = await Promise.all([1, 2, 3].map(() => server.ask(query, { id: runId })));
      for (const { body } of asked) expect(body.data).toEqual({ job: { logs } });
    },
  );

  test('that exits silently has its run ended by the server, and keeps its log', async () => {
    const runId = randomUUID();
    await start({ runId, provider: 'openai', runner: 'printer' });
    const job = await jobWhen<Job>(server, runId, FIELDS, isOver);
    expect(job).toEqual({ status: 'failed', exitCode: 3, terminalErrorClass: 'exit_nonzero' });
    expect(await terminalOf(runId)).toMatchObject({
      outcome: 'failed',
      errorClass: 'exit_nonzero',
      exitCode: 3,
    });
    const LOGS = 'query ($id: ID!, $lines: Int) { job(runId: $id) { logs(lines: $lines) } }';
    const logs = async (lines?: number) => (await server.ask(LOGS, { id: runId, lines })).body;
    expect((await logs()).data).toEqual({ job: { logs: expect.stringMatching(/^one\ntwo\n?$/) } });
    expect((await logs(1)).data).toEqual({ job: { logs: expect.stringMatching(/^two\n?$/) } });
    for (const lines of [0, 10_001])
      expect((await logs(lines)).errors?.[0]?.extensions.code).toBe('BAD_USER_INPUT');
  });

  test('is found by run, status, provider and runner, in pages', async () => {
    const sleepers = [await sleeping(server), await sleeping(server), await sleeping(server)];
    const JOBS = `query ($f: RunnerJobFilter, $first: Int, $after: String) { jobs(filter: $f, first: $first, after: $after) {
      nodes { run { id } } pageInfo { hasNextPage endCursor } } }`;
    const list = async (f: object, first = 100, after?: string) => {
      const { body } = await server.ask(JOBS, { f, first, after });
      if (!body.data) throw new Error(JSON.stringify(body));
      const { nodes, pageInfo } = body.data.jobs as unknown as {
        nodes: { run: { id: string } }[];
        pageInfo: { hasNextPage: boolean; endCursor: string };
      };
      return { ids: nodes.map(({ run }) => run.id), ...pageInfo };
    };
    const living = {
      statuses: ['queued', 'provisioning', 'running'],
      runner: 'sleeper',
      providers: ['openai'],
    };
    expect((await list(living)).ids.slice(0, 3)).toEqual([...sleepers].reverse());
    const first = await list(living, 2);
    expect(first.ids).toEqual([sleepers[2], sleepers[1]]);
    expect(first.hasNextPage).toBe(true);
    expect((await list(living, 1, first.endCursor)).ids).toEqual([sleepers[0]]);
    expect((await list({ statuses: ['stopping'], runner: 'sleeper' })).ids).toEqual([]);
    expect((await list({ ...living, providers: ['gemini'] })).ids).toEqual([]);
    expect((await list({ ...living, createdBefore: '2020-01-01T00:00:00Z' })).ids).toEqual([]);
    const none = await server.ask('query ($id: ID!) { job(runId: $id) { status } }', { id: randomUUID() });
    expect(none.body.data).toEqual({ job: null });
  });
});

describe('stopJob', () => {
  test('stops a job once, however often it is called, and the run is cancelled', async () => {
    const runId = await sleeping(server);
    await jobWhen<Job>(server, runId, FIELDS, ({ status }) => status === 'running');
    const answers = await Promise.all([stop(runId, 5_000), stop(runId), stop(runId, 2_000)]);
    for (const { job } of answers) expect(['stopping', 'terminated']).toContain(job?.status);
    const job = await jobWhen<Job>(server, runId, FIELDS, isOver);
    expect(job).toEqual({ status: 'terminated', exitCode: 143, terminalErrorClass: null });
    expect(await stop(runId)).toMatchObject({ __typename: 'StopJobSuccess', job: { status: 'terminated' } });
    expect(await terminalOf(runId)).toMatchObject({ outcome: 'cancelled', reason: 'job_stopped' });
  });

  test('reports an unknown run and an unknown job', async () => {
    expect(await stop(randomUUID())).toMatchObject({ __typename: 'NotFound', code: 'unknown_run' });
    const runId = randomUUID();
    await server.ask(
      'mutation ($id: ID!) { createRun(input: { id: $id, provider: openai }) { __typename } }',
      { id: runId },
    );
    expect(await stop(runId)).toMatchObject({ __typename: 'JobRefused', code: 'unknown_job' });
    const { body } = await server.ask(STOP, { i: { runId, graceMs: -1 } });
    expect(body.errors?.[0]?.extensions.code).toBe('BAD_USER_INPUT');
  });
});

describe('jobUpdated', () => {
  const UPDATES = 'subscription ($id: ID!) { jobUpdated(runId: $id) { status } }';
  const statusOf = (result: unknown) =>
    (result as { data: { jobUpdated: { status: string } } }).data.jobUpdated.status;

  test('follows a job over a websocket and SSE to its end, and completes', async () => {
    const runId = await sleeping(server);
    const socket = await openWebsocket(server.graphql);
    socket.subscribe('1', UPDATES, { id: runId });
    const stream = await openEventStream(server.graphql, UPDATES, { id: runId });
    await jobWhen<Job>(server, runId, FIELDS, ({ status }) => status === 'running');
    await stop(runId, 5_000);
    const seen: string[] = [];
    for (let message = await socket.next(); message.type === 'next'; message = await socket.next()) {
      seen.push(statusOf(message.payload));
    }
    expect(await socket.drain(50)).toEqual([]);
    const events = await stream.rest();
    expect(events.at(-1)?.event).toBe('complete');
    const streamed = events
      .filter(({ event }) => event === 'next')
      .map(({ data }) => statusOf(JSON.parse(data)));
    const order = ['queued', 'provisioning', 'running', 'stopping', 'terminated'];
    for (const statuses of [seen, streamed]) {
      expect(statuses.at(-1)).toBe('terminated');
      const places = statuses.map((status) => order.indexOf(status));
      expect(places).toEqual([...places].sort((one, other) => one - other));
    }
    const late = await openEventStream(server.graphql, UPDATES, { id: runId });
    expect((await late.rest()).map(({ event }) => event)).toEqual(['next', 'complete']);
  });

  test('reports an unknown run and a run without a job', async () => {
    const socket = await openWebsocket(server.graphql);
    const bare = randomUUID();
    await server.ask(
      'mutation ($id: ID!) { createRun(input: { id: $id, provider: openai }) { __typename } }',
      { id: bare },
    );
    for (const [id, code] of [
      [randomUUID(), 'unknown_run'],
      [bare, 'unknown_job'],
    ] as const) {
      socket.subscribe(id, UPDATES, { id });
      const { payload } = await socket.next();
      const errors = (Array.isArray(payload) ? payload : (payload as Answer).errors) as NonNullable<
        Answer['errors']
      >;
      expect(errors[0]?.extensions.code).toBe(code);
      await socket.drain(20);
    }
  });
});
