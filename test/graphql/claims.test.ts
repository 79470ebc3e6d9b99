import { randomUUID } from 'node:crypto';
import { beforeAll, describe, expect, test } from 'vitest';
import { openEventStream } from '../support/event-stream.ts';
import {
  type JobServer,
  jobServerPlace,
  jobWhen,
  newKey,
  sleeping,
  startJobServer,
} from '../support/job-server.ts';
import { type Answer, INGEST } from '../support/request.ts';
import { eventsFrom, terminalAt } from '../support/runs.ts';
import { execute } from '../support/sql.ts';
import { connectWebsocket, type WebsocketClient } from '../support/websocket-client.ts';

const CLAIM = `mutation ($instance: String!) { claimJob(instance: $instance) {
  __typename
  ... on ClaimJobSuccess { runId payload env deadlineAt nextSeq lastTMs token }
  ... on Error { code message }
} }`;

interface Claimed {
  readonly __typename: string;
  readonly code?: string;
  readonly message?: string;
  readonly token: string;
  readonly runId: string;
  readonly payload: unknown;
  readonly nextSeq: number;
  readonly lastTMs: number;
  readonly deadlineAt: string;
}

let server: JobServer;
beforeAll(async () => {
  server = await startJobServer();
});

async function claim(runId: string, instance: string, at = server): Promise<Claimed> {
  const { body } = await at.ask(CLAIM, { instance }, await at.token(runId));
  if (!body.data) throw new Error(JSON.stringify(body));
  return body.data.claimJob as unknown as Claimed;
}

async function send(runId: string, events: readonly unknown[], token?: string, at = server) {
  const { status, body } = await at.ask(INGEST, { b: { v: 1, runId, events } }, token);
  return { status, body, answer: body.data?.ingestEvents as unknown as Record<string, unknown> };
}

const codeOf = ({ errors }: Answer) => errors?.[0]?.extensions.code;

describe('a claim', () => {
  test('succeeds for the first instance, also repeatedly; every other instance is refused', async () => {
    const payload = { prompt: 'count to three', mcpServers: { a: 1 } };
    const runId = await sleeping(server, { payload });
    const first = await claim(runId, 'one');
    expect(first).toMatchObject({ __typename: 'ClaimJobSuccess', runId, payload, nextSeq: 0, lastTMs: 0 });
    expect(Date.parse(first.deadlineAt)).toBeGreaterThan(Date.now() + 3_000_000);
    const { token: _token, ...again } = await claim(runId, 'one');
    const { token: _first, ...before } = first;
    expect(again).toEqual(before);
    const other = await claim(runId, 'other');
    expect(other).toMatchObject({ __typename: 'JobRefused', code: 'claim_refused' });
    const job = await jobWhen<{ status: string }>(
      server,
      runId,
      'status',
      ({ status }) => status !== 'queued',
    );
    expect(job.status).toBe('running');
  });

  test('by many instances at once has one winner', async () => {
    const runId = await sleeping(server);
    const answers = await Promise.all(
      Array.from({ length: 12 }, (_, index) => claim(runId, `instance ${index}`)),
    );
    const winners = answers.filter(({ __typename }) => __typename === 'ClaimJobSuccess');
    expect(winners).toHaveLength(1);
    expect(answers.filter(({ code }) => code === 'claim_refused')).toHaveLength(11);
    expect(await send(runId, eventsFrom(0, 1), winners[0]!.token)).toMatchObject({ answer: { accepted: 1 } });
  });

  test('continues at the end of the run’s log', async () => {
    const runId = await sleeping(server);
    const { token } = await claim(runId, 'one');
    await send(runId, eventsFrom(4, 3), token);
    expect(await claim(runId, 'one')).toMatchObject({ nextSeq: 7, lastTMs: 6 });
  });

  test('is refused once a stop is requested, and after the job has ended', async () => {
    const runId = await sleeping(server);
    await claim(runId, 'one');
    await server.ask('mutation ($id: ID!) { stopJob(input: { runId: $id, graceMs: 1000 }) { __typename } }', {
      id: runId,
    });
    expect(await claim(runId, 'one')).toMatchObject({ code: 'claim_refused' });
    await jobWhen<{ status: string }>(server, runId, 'status', ({ status }) => status === 'terminated');
    expect(await claim(runId, 'one')).toMatchObject({
      code: 'claim_refused',
      message: 'the job has ended: exit at once',
    });
  });

  test('requires the token from the job’s environment, a job, and an instance name', async () => {
    const runId = await sleeping(server);
    const sender = await server.token(runId, { may: 'send', instance: 'one' });
    expect(codeOf((await server.ask(CLAIM, { instance: 'one' })).body)).toBe('FORBIDDEN');
    expect(codeOf((await server.ask(CLAIM, { instance: 'one' }, sender)).body)).toBe('FORBIDDEN');
    const unnamed = await server.ask(CLAIM, { instance: '' }, await server.token(runId));
    expect(codeOf(unnamed.body)).toBe('BAD_USER_INPUT');
    expect(await claim(randomUUID(), 'one')).toMatchObject({ __typename: 'NotFound', code: 'unknown_run' });
    const bare = randomUUID();
    await server.ask(
      'mutation ($id: ID!) { createRun(input: { id: $id, provider: openai }) { __typename } }',
      { id: bare },
    );
    expect(await claim(bare, 'one')).toMatchObject({ __typename: 'JobRefused', code: 'unknown_job' });
  });
});

describe('the log of a run with a job', () => {
  test('accepts events only from the claimer', async () => {
    const runId = await sleeping(server);
    expect(await send(runId, eventsFrom(0, 1))).toMatchObject({ answer: { code: 'claim_refused' } });
    const early = await server.token(runId, { may: 'send', instance: 'one' });
    expect(await send(runId, eventsFrom(0, 1), early)).toMatchObject({ answer: { code: 'claim_refused' } });
    const { token } = await claim(runId, 'one');
    expect(await send(runId, eventsFrom(0, 2), token)).toMatchObject({ answer: { accepted: 2 } });
    expect(await send(runId, eventsFrom(2, 1))).toMatchObject({ answer: { code: 'claim_refused' } });
    expect(await send(runId, eventsFrom(0, 1))).toMatchObject({ answer: { code: 'claim_refused' } });
    const other = await server.token(runId, { may: 'send', instance: 'other' });
    expect(await send(runId, eventsFrom(2, 1), other)).toMatchObject({ answer: { code: 'claim_refused' } });
    const claimer = await server.token(runId);
    expect(await send(runId, eventsFrom(2, 1), claimer)).toMatchObject({ status: 403 });
    const ofAnother = await server.token(await sleeping(server), { may: 'send', instance: 'one' });
    expect(await send(runId, eventsFrom(2, 1), ofAnother)).toMatchObject({ answer: { code: 'unknown_run' } });
    expect(await send(runId, eventsFrom(2, 1), token)).toMatchObject({
      answer: { accepted: 1, duplicates: 0 },
    });
  });

  test('accepts the claimer’s duplicates after the end, but nothing new', async () => {
    const runId = await sleeping(server);
    const { token } = await claim(runId, 'one');
    const batch = [...eventsFrom(0, 1), terminalAt(1)];
    expect(await send(runId, batch, token)).toMatchObject({ answer: { accepted: 2 } });
    expect(await send(runId, batch, token)).toMatchObject({ answer: { accepted: 0, duplicates: 2 } });
    expect(await send(runId, eventsFrom(2, 1), token)).toMatchObject({ answer: { code: 'run_terminated' } });
    expect(await send(runId, batch)).toMatchObject({ answer: { code: 'run_terminated' } });
  });

  test('accepts no events with a claim token if the run has no job', async () => {
    const runId = randomUUID();
    await server.ask(
      'mutation ($id: ID!) { createRun(input: { id: $id, provider: openai }) { __typename } }',
      { id: runId },
    );
    const token = await server.token(runId, { may: 'send', instance: 'one' });
    expect(await send(runId, eventsFrom(0, 1), token)).toMatchObject({ answer: { code: 'claim_refused' } });
    expect(await send(runId, eventsFrom(0, 1))).toMatchObject({ answer: { accepted: 1 } });
  });
});

const EVERYTHING = [
  'query ($s: Boolean! = true) { __typename runs @skip(if: $s) { nodes { id } } }',
  '{ runs { nodes { id } } }',
  '{ jobs { nodes { status } } }',
  'query ($id: ID!) { job(runId: $id) { status } }',
  'mutation ($id: ID!) { stopJob(input: { runId: $id }) { __typename } }',
  'mutation ($id: ID!) { endRun(input: { runId: $id }) { __typename } }',
  'mutation ($id: ID!) { startJob(input: { runId: $id, provider: openai }) { __typename } }',
  'mutation ($id: ID!) { createRun(input: { id: $id, provider: openai }) { __typename } }',
  'mutation ($id: ID!) { a: __typename ...F } fragment F on Mutation { b: stopJob(input: { runId: $id }) { __typename } }',
];
const STREAMS = [
  'subscription ($id: ID!) { jobUpdated(runId: $id) { status } }',
  'subscription ($id: ID!) { runEvents(runId: $id) { seq } }',
  'subscription ($id: ID!) { runEventBatches(runId: $id) { cursor } }',
  'subscription { runUpdated { id } }',
];

/** Returns the code of an operation's error on a socket. A query has the error in its only result. */
async function refusalOn(socket: WebsocketClient): Promise<unknown> {
  const { type, payload } = await socket.next();
  if (type === 'error') return (payload as Answer['errors'])?.[0]?.extensions.code;
  await socket.next();
  return codeOf(payload as Answer);
}

describe('a runner’s token', () => {
  test.each([{ may: 'claim' }, { may: 'send', instance: 'one' }] as const)(
    'that may $may is refused for everything else',
    async (right) => {
      const runId = await sleeping(server);
      const token = await server.token(runId, right);
      for (const query of EVERYTHING) {
        const variables = query.includes('$id') ? { id: runId } : {};
        const { status, body } = await server.ask(query, variables, token);
        expect([query, status, codeOf(body)]).toEqual([query, 403, 'FORBIDDEN']);
      }
      const allowed = await server.ask('{ __typename server { version } }', {}, token);
      expect(allowed.body.errors).toBeUndefined();
      const socket = await connectWebsocket(server.graphql);
      socket.send({ type: 'connection_init', payload: { authorization: `Bearer ${token}` } });
      expect((await socket.next()).type).toBe('connection_ack');
      for (const [index, query] of [...STREAMS, ...EVERYTHING].entries()) {
        const variables = query.includes('$id') ? { id: runId } : {};
        socket.subscribe(String(index), query, variables);
        expect([query, await refusalOn(socket)]).toEqual([query, 'FORBIDDEN']);
      }
      for (const query of STREAMS) {
        const variables = query.includes('$id') ? { id: runId } : {};
        const stream = await openEventStream(server.graphql, query, variables, {
          authorization: `Bearer ${token}`,
        });
        expect([query, JSON.stringify(await stream.rest()) + stream.text()]).toEqual([
          query,
          expect.stringContaining('FORBIDDEN'),
        ]);
      }
    },
  );

  test('that may send sees only its own run', async () => {
    const [runId, other] = [await sleeping(server), await sleeping(server)];
    const token = await server.token(runId, { may: 'send', instance: 'one' });
    const RUN = 'query ($id: ID!) { run(id: $id) { id lastSeq nextSeq } }';
    expect((await server.ask(RUN, { id: runId }, token)).body.data?.run).toMatchObject({ id: runId });
    expect((await server.ask(RUN, { id: other }, token)).body.data).toEqual({ run: null });
  });

  test('that is forged, expired or not a token is refused on every transport', async () => {
    const runId = await sleeping(server);
    const bad = [
      await server.token(runId, { may: 'claim' }, { key: newKey() }),
      await server.token(runId, { may: 'claim' }, { expiresAt: Date.now() - 5_000 }),
      'nothing',
      `${(await server.token(runId)).slice(0, -3)}AAA`,
    ];
    for (const token of bad) {
      const { status, body } = await server.ask('{ __typename }', {}, token);
      expect([status, codeOf(body)]).toEqual([401, 'UNAUTHENTICATED']);
      expect(JSON.stringify(body)).not.toContain(token);
      const stream = await openEventStream(
        server.graphql,
        STREAMS[3]!,
        {},
        { authorization: `Bearer ${token}` },
      );
      expect(stream.status).toBe(401);
      stream.abort();
      const socket = await connectWebsocket(server.graphql);
      socket.send({ type: 'connection_init', payload: { authorization: `Bearer ${token}` } });
      expect(await socket.closed()).toMatchObject({ code: 4403 });
    }
    const basic = await fetch(server.graphql, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: 'Basic YTpi' },
      body: '{"query":"{ __typename }"}',
    });
    expect(basic.status).toBe(401);
  });

  test('that expires closes the socket that it opened', async () => {
    const socket = await connectWebsocket(server.graphql);
    const token = await server.token(randomUUID(), { may: 'claim' }, { expiresAt: Date.now() + 1_500 });
    socket.send({ type: 'connection_init', payload: { authorization: `Bearer ${token}` } });
    expect((await socket.next()).type).toBe('connection_ack');
    expect(await socket.closed()).toMatchObject({ code: 4403 });
  });
});

test('keys rotate: what the old key signed and sealed remains valid, and the new key is used', async () => {
  const place = await jobServerPlace();
  const [old, young] = [newKey(), newKey()];
  const before = await startJobServer([old], place);
  const payload = { prompt: 'sealed with the old key' };
  const runId = await sleeping(before, { payload });
  const oldToken = await before.token(runId);
  const { token } = await claim(runId, 'one', before);
  await send(runId, eventsFrom(0, 1), token, before);
  // As after a crash: the job continues.
  await before.leave();
  const after = await startJobServer([young, old], place);
  expect(await send(runId, eventsFrom(1, 1), token, after)).toMatchObject({ answer: { accepted: 1 } });
  const { body } = await after.ask(CLAIM, { instance: 'one' }, oldToken);
  const again = body.data!.claimJob as unknown as Claimed;
  expect(again).toMatchObject({ __typename: 'ClaimJobSuccess', payload, nextSeq: 2 });
  const kid = (jwt: string) =>
    (JSON.parse(Buffer.from(jwt.split('.')[0]!, 'base64url').toString()) as { kid: string }).kid;
  expect(kid(again.token)).not.toBe(kid(token));
  const same = { runId, provider: 'openai', runner: 'sleeper', payload };
  const started = await after.ask('mutation ($i: StartJobInput!) { startJob(input: $i) { __typename } }', {
    i: same,
  });
  expect(started.body.data).toEqual({ startJob: { __typename: 'StartJobSuccess' } });
  const forgotten = await after.token(runId, { may: 'claim' }, { key: newKey() });
  expect((await after.ask(CLAIM, { instance: 'one' }, forgotten)).status).toBe(401);
});

test('a token expires an hour after its run ended, even for duplicates and for reading', async () => {
  const place = await jobServerPlace();
  const keys = [newKey()] as const;
  const before = await startJobServer(keys, place);
  const runId = await sleeping(before);
  const { token } = await claim(runId, 'one', before);
  const batch = [...eventsFrom(0, 1), terminalAt(1)];
  await send(runId, batch, token, before);
  await before.leave();
  const endedAgo = (minutes: number) =>
    execute(place.databaseUrl, `UPDATE run SET ended_at = ${Date.now() - minutes * 60_000}`);
  await endedAgo(59);
  const soon = await startJobServer(keys, place);
  expect(await send(runId, batch, token, soon)).toMatchObject({ answer: { duplicates: 2 } });
  const READ = 'query ($id: ID!) { run(id: $id) { id } }';
  expect((await soon.ask(READ, { id: runId }, token)).body.data).toEqual({ run: { id: runId } });
  await soon.leave();
  await endedAgo(61);
  const late = await startJobServer(keys, place);
  expect(codeOf((await send(runId, batch, token, late)).body)).toBe('UNAUTHENTICATED');
  expect(codeOf((await late.ask(READ, { id: runId }, token)).body)).toBe('UNAUTHENTICATED');
});
