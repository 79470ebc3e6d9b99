import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, test } from 'vitest';
import { IngestFailed, type IngestOptions, ingestBatch } from '../../src/client/index.ts';
import type { RunnerEvent, RunnerEventBatch } from '../../src/contract/events.ts';
import { releaseAfterwards } from '../support/releases.ts';
import { CREATE_RUN, post } from '../support/request.ts';
import { startTestServer } from '../support/server.ts';

async function start() {
  const server = await startTestServer();
  releaseAfterwards(() => server.close());
  await post(server.graphql, CREATE_RUN, { id: 'r' });
  return server;
}

function batchOf(events: readonly (Partial<RunnerEvent> & { seq: number })[]): RunnerEventBatch {
  const whole = events.map((event) => ({
    tMs: 5,
    kind: 'assistant_text' as const,
    data: { text: 'x' },
    ...event,
  }));
  return { v: 1, runId: 'r', events: whole };
}

const failureOf = (sending: Promise<unknown>) =>
  sending.then(
    () => null,
    (error: unknown) => error,
  );

describe('ingestBatch', () => {
  test('returns how many events were new and how many were duplicates', async () => {
    const { graphql: url } = await start();
    const first = await ingestBatch(batchOf([{ seq: 0 }, { seq: 4 }]), { url, previousSeq: -1 });
    expect(first).toEqual({ __typename: 'IngestEventsSuccess', accepted: 2, duplicates: 0, lastSeq: 4 });
    const again = await ingestBatch(batchOf([{ seq: 4 }, { seq: 5 }]), { url });
    expect(again).toEqual({ __typename: 'IngestEventsSuccess', accepted: 1, duplicates: 1, lastSeq: 5 });
  });

  test('returns the reason of a refusal', async () => {
    const { graphql: url } = await start();
    await ingestBatch(batchOf([{ seq: 0 }]), { url });
    expect(await ingestBatch(batchOf([{ seq: 3 }]), { url, previousSeq: 2 })).toMatchObject({
      __typename: 'BatchRejected',
      code: 'seq_gap',
      expectedSeq: 0,
    });
    expect(await ingestBatch(batchOf([{ seq: 1 }, { seq: 1 }]), { url })).toMatchObject({
      __typename: 'BatchRejected',
      code: 'seq_not_monotonic',
      eventIndex: 1,
    });
    expect(await ingestBatch({ ...batchOf([{ seq: 0 }]), runId: 'nobody' }, { url })).toMatchObject({
      __typename: 'BatchRejected',
      code: 'unknown_run',
      message: expect.stringContaining('nobody'),
    });
  });

  test('throws the code of a fault', async () => {
    const { graphql: url } = await start();
    const options: IngestOptions = { url, previousSeq: -2 };
    const failure = await failureOf(ingestBatch(batchOf([{ seq: 0 }]), options));
    expect(failure).toBeInstanceOf(IngestFailed);
    expect(failure).toMatchObject({ code: 'BAD_USER_INPUT', message: expect.stringMatching(/\S/) });
  });

  test('throws an error that names the address and has no code if the server is unreachable', async () => {
    const { url, close } = await start();
    await close();
    const failure = await failureOf(ingestBatch(batchOf([{ seq: 0 }]), { url: `${url}/graphql` }));
    expect(failure).toBeInstanceOf(IngestFailed);
    expect(failure).toMatchObject({ code: null, message: expect.stringContaining(new URL(url).host) });
  });

  test.each(['<html></html>', 'null', '[]', '{}', '{"data":{}}', '{"errors":"none"}'])(
    'throws an error without a code if the answer, %s, is not from a runfeed server',
    async (body) => {
      const other = createServer((_request, response) => response.end(body)).listen(0, '127.0.0.1');
      releaseAfterwards(() => other.close());
      await once(other, 'listening');
      const url = `http://127.0.0.1:${(other.address() as AddressInfo).port}/graphql`;
      const failure = await failureOf(ingestBatch(batchOf([{ seq: 0 }]), { url }));
      expect(failure).toBeInstanceOf(IngestFailed);
      expect(failure).toMatchObject({ code: null });
    },
  );

  test('stops when its signal aborts', async () => {
    const silent = createServer(() => {}).listen(0, '127.0.0.1');
    releaseAfterwards(() => silent.closeAllConnections());
    await once(silent, 'listening');
    const url = `http://127.0.0.1:${(silent.address() as AddressInfo).port}/graphql`;
    const leaving = new AbortController();
    const failure = failureOf(ingestBatch(batchOf([{ seq: 0 }]), { url, signal: leaving.signal }));
    silent.once('request', () => leaving.abort());
    expect(await failure).toMatchObject({ name: 'IngestFailed', code: null, cause: leaving.signal.reason });
  });
});
