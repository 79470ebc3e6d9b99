import { request } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { RunningServer } from '../../src/server/server.ts';
import { codesOf } from '../support/error-codes.ts';
import { INGEST, post } from '../support/request.ts';
import { newRun } from '../support/runs.ts';
import { startTestServer } from '../support/server.ts';
import { openWebsocket } from '../support/websocket-client.ts';

const MiB = 1024 * 1024;

let server: RunningServer & { readonly graphql: string };

beforeAll(async () => {
  server = await startTestServer();
});

afterAll(() => server.close());

/** Returns the codes that refuse a document, which must be equal on both transports. */
async function refusedWith(query: string, variables?: unknown): Promise<string[]> {
  const { body } = await post(server.graphql, query, variables);
  const overHttp = codesOf(body.errors);
  const client = await openWebsocket(server.graphql);
  client.subscribe('1', query, variables);
  const { type, payload } = await client.next();
  const errors = type === 'error' ? payload : (payload as { errors: unknown }).errors;
  expect(codesOf(errors)).toEqual(overHttp);
  client.send({ type: 'ping' });
  const types = [(await client.next()).type];
  if (types[0] === 'complete') types.push((await client.next()).type);
  expect(types.at(-1)).toBe('pong');
  return overHttp;
}

const nested = (levels: number) => `${'['.repeat(levels)}${']'.repeat(levels)}`;
const literal = (data: string) =>
  `mutation { ingestEvents(batch: { v: 1, runId: "r", events: [{ seq: 0, tMs: 0, kind: notification, data: { a: ${data} } }] }) { __typename ... on Error { code } } }`;

describe('documents', () => {
  for (const levels of [2_000, 9_000, 20_000]) {
    test(`a literal that nests ${levels} deep is refused on both transports`, async () => {
      expect(await refusedWith(literal(nested(levels)))).toEqual(['DOCUMENT_TOO_LARGE']);
    });

    test(`strings and comments cannot hide a literal that nests ${levels} deep`, async () => {
      const disguises = [
        '"""a"b"""',
        '"""\n}}}}"""',
        `"""${'}'.repeat(20_000)}"""`,
        '"\\\\"',
        '"""\\""" " """',
      ];
      for (const disguise of disguises) {
        const query = literal(`[${disguise}, ${nested(levels)}]`);
        expect(await refusedWith(query), disguise.slice(0, 20)).toEqual(['DOCUMENT_TOO_LARGE']);
      }
      const commented = literal(`[#"\n${nested(levels)}]`);
      expect(await refusedWith(commented)).toEqual(['DOCUMENT_TOO_LARGE']);
    });
  }

  test('brackets in text do not count', async () => {
    const brackets = '[('.repeat(2_000);
    for (const text of [`"${brackets}"`, `"""\n${brackets}\n"""`, `1 #${brackets}\n`]) {
      const { body } = await post(server.graphql, literal(text));
      expect(body).toEqual({ data: { ingestEvents: { __typename: 'BatchRejected', code: 'unknown_run' } } });
    }
  });

  test('more than 20,000 tokens are refused', async () => {
    expect(await refusedWith(literal(`[${'1 '.repeat(20_001)}]`))).toEqual(['DOCUMENT_TOO_LARGE']);
  });

  test('more than 1 MiB is refused', async () => {
    expect(await refusedWith(literal(`"${'x'.repeat(MiB)}"`))).toEqual(['DOCUMENT_TOO_LARGE']);
  });

  test('more than 500 fields are refused', async () => {
    const fields = Array.from({ length: 501 }, (_, index) => `a${index}: __typename`).join(' ');
    expect(await refusedWith(`{ ${fields} }`)).toEqual(['DOCUMENT_TOO_LARGE']);
  });

  test('fields nested more than 20 deep are refused', async () => {
    const query = `{ ${'a { '.repeat(20)} a ${'} '.repeat(20)} }`;
    expect(await refusedWith(query)).toEqual(['DOCUMENT_TOO_LARGE']);
  });

  test('introspection that would multiply is refused, even in fragments', async () => {
    const cycle = (level: number): string =>
      level === 0 ? 'name' : `fields { type { ${cycle(level - 1)} } }`;
    expect(await refusedWith(`{ __schema { types { ${cycle(8)} } } }`)).toEqual([
      'GRAPHQL_VALIDATION_FAILED',
    ]);
    const fragments = Array.from(
      { length: 30 },
      (_, index) =>
        `fragment F${index} on __Type { fields { type { ${index < 29 ? `...F${index + 1}` : 'name'} } } }`,
    );
    const query = `{ __schema { types { ...F0 } } } ${fragments.join(' ')}`;
    expect(await refusedWith(query)).toEqual(['DOCUMENT_TOO_LARGE']);
  });

  test('a subscription that requests the same data under more than 16 names is refused', async () => {
    const names = (count: number) => Array.from({ length: count }, (_, index) => `d${index}: data`).join(' ');
    const query = (count: number) => `subscription { runEvents(runId: "nobody") { ${names(count)} } }`;
    expect(await refusedWith(query(17))).toEqual(['DOCUMENT_TOO_LARGE']);
    expect(await refusedWith(query(16))).toEqual(['unknown_run']);
    const inFragment = `subscription { runEvents(runId: "r") { ...F } } fragment F on RunnerEvent { ${names(17)} }`;
    expect(await refusedWith(inFragment)).toEqual(['DOCUMENT_TOO_LARGE']);
  });

  test('fragments that spread themselves are refused', async () => {
    const query = '{ ...A } fragment A on Query { ...B } fragment B on Query { ...A }';
    expect(await refusedWith(query)).toEqual(['GRAPHQL_VALIDATION_FAILED']);
  });
});

describe('operations', () => {
  test('more than 1,000 at once on a socket are OVERLOADED, one by one', async () => {
    const runId = await newRun(server.graphql);
    const client = await openWebsocket(server.graphql);
    const query = `subscription { runEventBatches(runId: "${runId}") { cursor } }`;
    for (let id = 0; id < 1_000; id += 1) client.subscribe(String(id), query);
    for (let id = 0; id < 1_000; id += 1) expect((await client.next()).type).toBe('next');
    client.subscribe('1000', query);
    const { id, type, payload } = await client.next();
    expect([id, type]).toEqual(['1000', 'error']);
    expect(codesOf(payload)).toEqual(['OVERLOADED']);
    client.send({ id: '0', type: 'complete' });
    client.subscribe('1000', query);
    expect(await client.next()).toMatchObject({ id: '1000', type: 'next' });
  });
});

describe('requests', () => {
  /** Posts this many bytes, with a content-length or in chunks, and returns the response. */
  function postBytes(bytes: number, chunked: boolean): Promise<{ status: number; text: string }> {
    return new Promise((resolve, reject) => {
      const headers = {
        'content-type': 'application/json',
        ...(chunked ? { 'transfer-encoding': 'chunked' } : { 'content-length': String(bytes) }),
      };
      const sent = request(server.graphql, { method: 'POST', headers, agent: false }, (response) => {
        let text = '';
        response.on('data', (chunk) => {
          text += chunk;
        });
        response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
      });
      sent.on('error', reject);
      sent.end(Buffer.alloc(bytes, ' '));
    });
  }

  for (const chunked of [false, true]) {
    test(`a body over 16 MiB is refused with 413${chunked ? ', in chunks too' : ''}`, async () => {
      const { status, text } = await postBytes(16 * MiB + 1, chunked);
      expect(status).toBe(413);
      expect(codesOf(JSON.parse(text).errors)).toEqual(['BODY_TOO_LARGE']);
    });
  }

  test('a batch of nearly 16 MiB arrives over both transports', async () => {
    for (const transport of ['http', 'websocket']) {
      const runId = await newRun(server.graphql);
      const data = { text: 'x'.repeat(16 * MiB - 4_096) };
      const b = { v: 1, runId, events: [{ seq: 0, tMs: 0, kind: 'assistant_text', data }] };
      if (transport === 'http') {
        const { body } = await post(server.graphql, INGEST, { b });
        expect(body).toMatchObject({ data: { ingestEvents: { accepted: 1 } } });
      } else {
        const client = await openWebsocket(server.graphql);
        client.subscribe('1', INGEST, { b });
        expect(await client.next()).toMatchObject({ payload: { data: { ingestEvents: { accepted: 1 } } } });
      }
    }
  });

  test('a frame over 16 MiB closes its socket with 1009 and no other', async () => {
    const [big, other] = [await openWebsocket(server.graphql), await openWebsocket(server.graphql)];
    big.send(' '.repeat(16 * MiB + 1));
    expect((await big.closed()).code).toBe(1009);
    other.send({ type: 'ping' });
    expect((await other.next()).type).toBe('pong');
  });
});
