import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { totalsOf } from '../../src/config/totals.ts';
import { codesOf } from '../support/error-codes.ts';
import { connectRaw, postHead } from '../support/raw-http.ts';
import { INGEST, post } from '../support/request.ts';
import { eventually, fill, ingest, newRun } from '../support/runs.ts';
import { startTransports } from '../support/transports.ts';
import { openWebsocket } from '../support/websocket-client.ts';

const MiB = 1024 * 1024;
const small = { ...totalsOf(), requestBytes: 4 * MiB, unreadBytes: 11 * MiB };
const start = () => startTransports((store) => store, undefined, small);

const batchOf = (runId: string, data: object) => ({
  b: { v: 1, runId, events: [{ seq: 0, tMs: 0, kind: 'notification', data }] },
});
const list = (length: number) => Array.from({ length }, () => ({}));
const keys = (length: number) => Object.fromEntries(Array.from({ length }, (_, key) => [`k${key}`, 1]));

describe('a request that weighs too much', () => {
  test('is refused with BODY_TOO_LARGE on both transports, and only that operation fails', async () => {
    const { graphql } = await startTransports();
    const runId = await newRun(graphql);
    const client = await openWebsocket(graphql);
    for (const data of [{ list: list(200_000) }, { keys: keys(60_000) }]) {
      const { status, body } = await post(graphql, INGEST, batchOf(runId, data));
      expect([status, codesOf(body.errors)]).toEqual([413, ['BODY_TOO_LARGE']]);
      client.subscribe('heavy', INGEST, batchOf(runId, data));
      const { id, type, payload } = await client.next();
      expect([id, type, codesOf(payload)]).toEqual(['heavy', 'error', ['BODY_TOO_LARGE']]);
    }
    client.subscribe('light', INGEST, batchOf(runId, { keys: keys(20_000) }));
    expect(await client.next()).toMatchObject({ payload: { data: { ingestEvents: { accepted: 1 } } } });
  });

  test('is refused by closing its websocket with 1009 if it names no operation', async () => {
    const { graphql } = await startTransports();
    const client = await openWebsocket(graphql);
    client.send({ type: 'ping', payload: { list: list(200_000) } });
    expect((await client.closed()).code).toBe(1009);
  });
});

test('a body that is not UTF-8 is refused with 400, however it is sent', async () => {
  const { graphql } = await startTransports();
  const body = Buffer.from('{"query":"{ server { version } }","operationName":"\xff"}', 'latin1');
  for (const accept of ['application/json', 'text/html']) {
    const headers = { 'content-type': 'application/json', accept };
    const response = await fetch(graphql, { method: 'POST', headers, body });
    expect(response.status).toBe(400);
    expect(codesOf(((await response.json()) as { errors: unknown }).errors)).toEqual(['BAD_REQUEST']);
  }
});

describe('unfinished requests', () => {
  const half = Buffer.alloc(3 * MiB, ' ');

  test('count towards the total over HTTP until they are gone', async () => {
    const { graphql, load } = await start();
    const runId = await newRun(graphql);
    const unfinished = connectRaw(graphql);
    unfinished.socket.write(postHead(graphql, 8 * MiB));
    unfinished.socket.write(half);
    await eventually(() => load.intake.heldBytes() === half.length);
    const batch = batchOf(runId, { text: 'x'.repeat(2 * MiB) });
    const refused = await post(graphql, INGEST, batch);
    expect([refused.status, codesOf(refused.body.errors)]).toEqual([503, ['OVERLOADED']]);
    const client = await openWebsocket(graphql);
    client.subscribe('1', INGEST, batch);
    // The operation is not known before the whole message has arrived.
    expect((await client.closed()).code).toBe(1013);
    unfinished.socket.destroy();
    await eventually(() => load.intake.heldBytes() === 0);
    expect((await post(graphql, INGEST, batch)).body).toMatchObject({
      data: { ingestEvents: { accepted: 1 } },
    });
    await eventually(() => load.intake.heldBytes() === 0);
  });

  test('are counted frame by frame over websockets, and cut with 1013 above the total', async () => {
    const { graphql, load } = await start();
    const clients = [await openWebsocket(graphql), await openWebsocket(graphql)] as const;
    const [one, other] = clients;
    one.socket.send(half.subarray(0, 2 * MiB), { fin: false, binary: false });
    one.socket.send(half.subarray(0, MiB), { fin: false, binary: false });
    await eventually(() => load.intake.heldBytes() === 3 * MiB);
    one.socket.ping();
    other.socket.send(half, { fin: false, binary: false });
    expect((await other.closed()).code).toBe(1013);
    expect(load.intake.heldBytes()).toBe(3 * MiB);
    one.socket.send('{"type":"ping"}', { fin: true, binary: false });
    expect((await one.next()).type).toBe('pong');
    await eventually(() => load.intake.heldBytes() === 0);
  });

  test('are admitted even above the total if there is only one', async () => {
    const { graphql } = await start();
    const runId = await newRun(graphql);
    const { body } = await post(graphql, INGEST, batchOf(runId, { text: 'x'.repeat(6 * MiB) }));
    expect(body).toMatchObject({ data: { ingestEvents: { accepted: 1 } } });
  });
});

describe('the request of a subscription', () => {
  const query = (runId: string) => `subscription { runEventBatches(runId: "${runId}") { cursor } }`;
  const junk = (length: number) => ({ junk: 'x'.repeat(length) });

  test('is no longer counted once the subscription has started, on both transports', async () => {
    const { graphql, load, feed } = await start();
    const runId = await newRun(graphql);
    const client = await openWebsocket(graphql);
    for (let id = 0; id < 200; id += 1) client.subscribe(String(id), query(runId), junk(30_000));
    const stream = await fetch(graphql, {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'text/event-stream' },
      body: JSON.stringify({ query: query(runId), variables: junk(30_000) }),
    });
    await eventually(() => feed.watchedRuns() === 1 && load.intake.heldBytes() === 0);
    const { body } = await post(graphql, INGEST, batchOf(runId, { text: 'x'.repeat(2 * MiB) }));
    expect(body).toMatchObject({ data: { ingestEvents: { accepted: 1 } } });
    expect((await client.next()).type).toBe('next');
    await stream.body?.cancel();
  });

  test('is refused with DOCUMENT_TOO_LARGE above 32 KiB, including undeclared variables', async () => {
    const { graphql, load } = await start();
    const runId = await newRun(graphql);
    const client = await openWebsocket(graphql);
    client.subscribe('1', query(runId), junk(33_000));
    const { type, payload } = await client.next();
    expect([type, codesOf(payload)]).toEqual(['error', ['DOCUMENT_TOO_LARGE']]);
    const streamed = await fetch(graphql, {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'text/event-stream' },
      body: JSON.stringify({ query: query(runId), variables: junk(33_000) }),
    });
    expect(await streamed.text().catch(() => 'cut')).toMatch(/DOCUMENT_TOO_LARGE|cut/);
    await eventually(() => load.intake.heldBytes() === 0);
  });
});

describe('new documents', () => {
  const longDocument = (id: number) =>
    `{ __typename ${Array.from({ length: 200 }, (_, field) => `a${id}x${field}: __typename`).join(' ')} }`;

  test('are parsed one long one per event-loop turn, and the operations of a socket start in order', async () => {
    const { graphql } = await startTransports();
    const client = await openWebsocket(graphql);
    let turns = 0;
    let counting = true;
    const turn = () => {
      turns += 1;
      if (counting) setImmediate(turn);
    };
    setImmediate(turn);
    const ids = Array.from({ length: 20 }, (_, id) => String(id));
    const before: number[] = [];
    for (const id of ids) client.subscribe(id, longDocument(Number(id)));
    client.subscribe('known', longDocument(0));
    const answered: (string | undefined)[] = [];
    while (answered.length < 21) {
      const { id, type } = await client.next();
      if (type !== 'next') continue;
      answered.push(id);
      before.push(turns);
    }
    counting = false;
    expect(answered).toEqual([...ids, 'known']);
    // The first document is parsed as it is read, and the second one in the same iteration of the loop.
    expect(before.at(-1)! - before[0]!).toBeGreaterThanOrEqual(18);
  });

  test('that are cached wait for one another, unless they cost next to nothing', async () => {
    const { graphql } = await startTransports();
    const names = Array.from({ length: 19 }, (_, n) => `v${n}: version`).join(' ');
    const fields = Array.from({ length: 45 }, (_, n) => `a${n}: server { ...V }`).join(' ');
    // Costs 900, and a turn has time for 10,000.
    const query = `{ ${fields} } fragment V on ServerInfo { ${names} }`;
    const clients = await Promise.all(Array.from({ length: 200 }, () => openWebsocket(graphql)));
    const light = await openWebsocket(graphql);
    for (const client of [light, ...clients]) {
      client.subscribe('known', client === light ? '{ __typename }' : query);
      await client.next();
      await client.next();
    }
    let answered = 0;
    const all = clients.map(async (client) => {
      client.subscribe('1', query);
      await client.next();
      answered += 1;
    });
    light.subscribe('1', '{ __typename }');
    await light.next();
    expect(answered).toBeLessThan(45);
    await Promise.all(all);
  });

  test('do not delay batches, however many are waiting', async () => {
    const { graphql } = await startTransports();
    const runId = await newRun(graphql);
    const clients = await Promise.all(Array.from({ length: 100 }, () => openWebsocket(graphql)));
    const writer = await openWebsocket(graphql);
    const send = (id: string, seq: number) => {
      const event = { seq, tMs: 0, kind: 'notification', data: { text: 'x'.repeat(12_000) } };
      writer.send({
        id,
        type: 'subscribe',
        payload: { query: INGEST, variables: { b: { v: 1, runId, events: [event] } } },
      });
    };
    send('known', 0);
    await writer.next();
    await writer.next();
    let answered = 0;
    const all = clients.map(async (client, number) => {
      client.subscribe('1', longDocument(1_000 + number));
      await client.next();
      answered += 1;
    });
    send('1', 1);
    await writer.next();
    // One long document is parsed per event-loop turn, and a batch takes a few turns.
    expect(answered).toBeLessThan(50);
    await Promise.all(all);
  });

  test('that select one response name more than 32 times are refused, through fragments and merged fields', async () => {
    const { graphql } = await startTransports();
    const times = (length: number, text: string) => Array.from({ length }, () => text).join(' ');
    const client = await openWebsocket(graphql);
    for (const query of [
      `{ ${times(33, 'a: run(id: "a") { id }')} }`,
      `{ ${times(3, `run(id: "a") { ${times(10, 'id')} ...F }`)} } fragment F on Run { ${times(3, 'id')} }`,
      `{ __typename } fragment Unused on Query { ${times(33, 'server { version }')} }`,
    ]) {
      const { body } = await post(graphql, query);
      expect(codesOf(body.errors)).toEqual(['DOCUMENT_TOO_LARGE']);
      client.subscribe('1', query);
      expect(codesOf((await client.next()).payload)).toEqual(['DOCUMENT_TOO_LARGE']);
    }
    const { body } = await post(graphql, `{ ${times(32, '__typename')} }`);
    expect(body).toEqual({ data: { __typename: 'Query' } });
  });
});

describe('answers that are not read', () => {
  test('are cut above the total on every transport, first those that hold the most and read the least', async () => {
    const { graphql, load } = await start();
    const runId = await newRun(graphql);
    await ingest(graphql, runId, [
      { seq: 0, tMs: 0, kind: 'notification', data: { text: 'x'.repeat(4 * MiB) } },
    ]);
    const asked = (fields: string) => `{ run(id: "${runId}") { events { nodes { ${fields} } } } }`;
    const body = JSON.stringify({ query: asked('data again: data') });
    const first = connectRaw(graphql);
    first.socket.pause();
    first.socket.write(postHead(graphql, Buffer.byteLength(body)) + body);
    await eventually(() => load.unread.heldBytes() > 8 * MiB, 20_000);
    const client = await openWebsocket(graphql);
    client.subscribe('1', asked('data'));
    client.socket.pause();
    await eventually(() => load.unread.heldBytes() < 8 * MiB, 20_000);
    expect(load.unread.heldBytes()).toBeGreaterThan(4 * MiB);
    first.socket.resume();
    await first.closed;
    expect(first.socket.bytesRead).toBeLessThan(8 * MiB);
    client.socket.resume();
    expect((await client.next()).type).toBe('next');
  });

  test('are cut only after those of clients that read nothing, however long a client has been reading', async () => {
    const totals = { ...totalsOf(), unreadBytes: 30 * MiB };
    const { graphql, load } = await startTransports((store) => store, undefined, totals);
    const runId = await newRun(graphql);
    await ingest(graphql, runId, [
      { seq: 0, tMs: 0, kind: 'notification', data: { text: 'x'.repeat(4 * MiB) } },
    ]);
    const ask = (fields: string) => {
      const body = JSON.stringify({ query: `{ run(id: "${runId}") { events { nodes { ${fields} } } } }` });
      const connection = connectRaw(graphql);
      connection.socket.pause();
      connection.socket.write(postHead(graphql, Buffer.byteLength(body)) + body);
      return connection;
    };
    const reading = ask('a: data b: data c: data');
    await eventually(() => load.unread.heldBytes() > 12 * MiB, 20_000);
    await sleep(1_000);
    const stalled = ask('a: data b: data c: data');
    await eventually(() => load.unread.heldBytes() > 24 * MiB, 20_000);
    await sleep(1_000);
    // No more than the kernel's buffers leave room for: the rest of the answer has to wait.
    const pause = () => reading.socket.bytesRead > 2 * MiB && reading.socket.pause();
    reading.socket.on('data', pause).resume();
    await eventually(() => reading.socket.bytesRead > 2 * MiB, 20_000);
    expect(load.unread.heldBytes()).toBeGreaterThan(24 * MiB);
    ask('a: data b: data');
    await eventually(() => load.unread.heldBytes() < 22 * MiB, 20_000);
    stalled.socket.resume();
    await stalled.closed;
    expect(stalled.socket.bytesRead).toBeLessThan(12 * MiB);
    reading.socket.off('data', pause).resume();
    await eventually(() => reading.socket.bytesRead > 12 * MiB, 20_000);
  });

  const ACCEPTED = ['application/json', 'application/json;q=0.9', 'text/event-stream', '*/*;q=0.1'];

  test.each(ACCEPTED)(
    'are counted, and forgotten with their requests once the client leaves: accept %s',
    async (accept) => {
      const { graphql, load } = await startTransports();
      const runId = await newRun(graphql);
      await ingest(graphql, runId, [
        { seq: 0, tMs: 0, kind: 'notification', data: { text: 'x'.repeat(4 * MiB) } },
      ]);
      const query = `{ run(id: "${runId}") { events { nodes { a: data b: data c: data } } } }`;
      const body = JSON.stringify({ query, variables: { unused: 'y'.repeat(MiB) } });
      const { socket } = connectRaw(graphql);
      socket.pause();
      socket.write(
        postHead(graphql, body.length).replace('\r\n\r\n', `\r\nAccept: ${accept}\r\n\r\n`) + body,
      );
      await eventually(() => load.unread.heldBytes() > 12 * MiB, 20_000);
      socket.destroy();
      await eventually(() => load.unread.heldBytes() === 0 && load.intake.heldBytes() === 0, 20_000);
    },
  );

  test('end a subscription that is executed for one client, once the client leaves', async () => {
    const { graphql, load, feed } = await startTransports();
    const runId = await newRun(graphql);
    await ingest(graphql, runId, [
      { seq: 0, tMs: 0, kind: 'notification', data: { text: 'x'.repeat(4 * MiB) } },
    ]);
    // Shared feeds have no fragments on the root.
    const query = `subscription { ... on Subscription { runEvents(runId: "${runId}") { a: data b: data c: data } } }`;
    const body = JSON.stringify({ query });
    const { socket } = connectRaw(graphql);
    socket.pause();
    socket.write(
      postHead(graphql, body.length).replace('\r\n\r\n', '\r\nAccept: text/event-stream\r\n\r\n') + body,
    );
    await eventually(() => load.unread.heldBytes() > 12 * MiB, 20_000);
    socket.destroy();
    await eventually(() => load.unread.heldBytes() === 0 && feed.watchedRuns() === 0, 20_000);
  });
});

describe('a socket that continues after refusals', () => {
  test('is closed with 1013, and its operations end', async () => {
    const { graphql, feed } = await startTransports();
    const runId = await newRun(graphql);
    const client = await openWebsocket(graphql);
    const query = `subscription { runEvents(runId: "${runId}") { seq } }`;
    for (let id = 0; id < 2_000; id += 1) client.subscribe(String(id), query);
    expect((await client.closed()).code).toBe(1013);
    await eventually(() => feed.watchedRuns() === 0);
  });
});

test('pipelined requests are answered in order, one at a time', async () => {
  const { graphql } = await startTransports();
  const runId = await newRun(graphql);
  await fill(graphql, runId, 0, 3);
  const connection = connectRaw(graphql);
  const asked = (alias: string) => {
    const body = JSON.stringify({ query: `{ ${alias}: run(id: "${runId}") { id } }` });
    return postHead(graphql, Buffer.byteLength(body)) + body;
  };
  connection.socket.write(['a', 'b', 'c', 'd'].map(asked).join(''));
  await connection.received(/"d":/);
  expect(connection.text().match(/"[abcd]":/g)).toEqual(['"a":', '"b":', '"c":', '"d":']);
});
