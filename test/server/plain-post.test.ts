import { once } from 'node:events';
import { Agent, type IncomingMessage, request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { RunningServer } from '../../src/server/server.ts';
import { CREATE_RUN, INGEST } from '../support/request.ts';
import { startTestServer } from '../support/server.ts';

let server: RunningServer & { readonly graphql: string };

beforeAll(async () => {
  server = await startTestServer();
});

afterAll(() => server.close());

interface Posted {
  readonly status: number | undefined;
  readonly type: string | undefined;
  readonly body: string;
}

interface Manner {
  readonly headers?: Readonly<Record<string, string>>;
  /** Without a length the body is sent in chunks, which only Yoga answers. */
  readonly chunked?: boolean;
  readonly agent?: Agent;
  /** The pieces in which the body is sent. */
  readonly pieces?: readonly Buffer[];
}

async function post(body: string, { headers = {}, chunked = false, agent, pieces }: Manner): Promise<Posted> {
  const length = chunked ? {} : { 'content-length': String(Buffer.byteLength(body)) };
  const sent = request(server.graphql, {
    method: 'POST',
    agent: agent ?? false,
    headers: { 'content-type': 'application/json', ...length, ...headers },
  });
  const answered = once(sent, 'response');
  for (const piece of pieces ?? [Buffer.from(body)]) {
    sent.write(piece);
    if (pieces) await sleep(5);
  }
  sent.end();
  const [response] = (await answered) as [IncomingMessage];
  let text = '';
  for await (const chunk of response.setEncoding('utf8')) text += chunk;
  return { status: response.statusCode, type: response.headers['content-type'], body: text };
}

const asked = (query: string, more: object = {}) => JSON.stringify({ query, ...more });
const batch = (events: readonly object[], runId = 'r') => ({ v: 1, runId, events });
const event = { seq: 0, tMs: 0, kind: 'assistant_text', data: { text: '€ 😀 \u0000' } };

/** Bodies whose answer is always the same. */
const BODIES = [
  asked('{ server { version } }'),
  asked('query A { server { version } } query B { runs { totalCount } }', { operationName: 'A' }),
  asked('query A { server { version } } query B { runs { totalCount } }'),
  asked('query A { server { version } }', { operationName: 'C' }),
  asked('query ($id: ID!) { run(id: $id) { id } }', { variables: { id: 'nobody' } }),
  asked('query ($id: ID!) { run(id: $id) { id } }', { variables: {} }),
  asked('query ($id: ID!) { run(id: $id) { id } }', { variables: null }),
  asked('query ($id: ID!) { run(id: $id) { id } }', { variables: { id: {} } }),
  asked('{ runs(first: -1) { nodes { id } } }'),
  asked('query ($n: Int) { runs(first: $n) { nodes { id } } }', { variables: { n: -1 } }),
  asked(INGEST, { variables: { b: batch([event]) } }),
  asked(INGEST, { variables: { b: batch([{ ...event, data: [] }]) } }),
  asked(INGEST, { variables: { b: batch([event], 'nobody') } }),
  asked(INGEST, { variables: { b: null } }),
  asked(INGEST, {}),
  asked(CREATE_RUN, { variables: { id: '' } }),
  asked('mutation { createRun(input: { id: "r", provider: nobody }) { __typename } }'),
  asked('subscription { runEvents(runId: "nobody") { seq } }'),
  asked('{ nothing }'),
  asked('{ server'),
  asked(''),
  asked('{ server { version } }', { extensions: {} }),
  asked('{ server { version } }', { extensions: null, operationName: null }),
  asked('{ server { version } }', { extensions: 1 }),
  asked('{ server { version } }', { variables: [] }),
  asked('{ server { version } }', { operationName: 1 }),
  asked('{ server { version } }', { more: 1 }),
  asked('{ server { version } }', { more: null }),
  `${asked('{ server { version } }')} x`,
  `\ufeff${asked('{ server { version } }')}`,
  `[${asked('{ server { version } }')}]`,
  'null',
  '',
];

const ACCEPTS = [
  '*/*',
  'application/json',
  'application/graphql-response+json',
  'application/graphql-response+json, application/json',
  'application/json, */*;q=0.5',
  'application/json; charset=utf-8',
];

describe('a plain post is answered exactly as by Yoga', () => {
  beforeAll(async () => {
    const created = await post(asked(CREATE_RUN, { variables: { id: 'r' } }), {});
    expect(created.body).toContain('Success');
    await post(asked(INGEST, { variables: { b: batch([event]) } }), {});
  });

  for (const accept of ACCEPTS) {
    for (const body of BODIES) {
      test(`${accept}: ${JSON.stringify(body).slice(0, 110)}`, async () => {
        const headers = { accept };
        const plain = await post(body, { headers });
        expect(plain).toEqual(await post(body, { headers, chunked: true }));
        expect(plain.status).toBeGreaterThan(0);
      });
    }
  }

  test('without an accept header, and with a charset', async () => {
    const body = BODIES[0]!;
    const headers = { 'content-type': 'application/json; charset=utf-8' };
    const plain = await post(body, { headers });
    expect(plain).toEqual(await post(body, { headers, chunked: true }));
    expect(plain).toMatchObject({ status: 200, type: 'application/json; charset=utf-8' });
  });
});

describe('a plain post', () => {
  test('may arrive in pieces that split characters', async () => {
    const body = asked(INGEST, { variables: { b: batch([event]) } });
    const bytes = Buffer.from(body);
    const cut = bytes.indexOf('€') + 1;
    const pieces = [bytes.subarray(0, 1), bytes.subarray(1, cut), bytes.subarray(cut)];
    expect(JSON.parse((await post(body, { pieces })).body).data.ingestEvents).toMatchObject({
      duplicates: 1,
    });
  });

  test('leaves its connection ready for the next request, whichever path answered it', async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    try {
      for (const body of [...BODIES, ...BODIES.toReversed()]) {
        const posted = await post(body, { agent, headers: { accept: 'application/json' } });
        expect(() => JSON.parse(posted.body)).not.toThrow();
      }
    } finally {
      agent.destroy();
    }
  });

  test('whose client disconnects halfway does not affect others', async () => {
    for (let times = 0; times < 20; times += 1) {
      const sent = request(server.graphql, {
        method: 'POST',
        agent: false,
        headers: { 'content-type': 'application/json', 'content-length': '1000' },
      });
      sent.on('error', () => {});
      sent.write('{"query":');
      await once(sent, 'socket');
      await sleep(2);
      sent.destroy();
    }
    expect((await post(BODIES[0]!, {})).status).toBe(200);
  });
});
