import { WebSocket } from 'ws';
import { CREATE_RUN, INGEST, post } from '../support/request.ts';
import type { ServeProcess } from '../support/runfeed-process.ts';
import { openWebsocket } from '../support/websocket-client.ts';

/** Something that a client does to keep a server from answering others. */
export interface Hostile {
  readonly name: string;
  /** Resolves when the server has answered, refused or accepted everything. */
  readonly act: (server: ServeProcess) => Promise<void>;
}

const MiB = 1024 * 1024;
const SMALL = 'small';
const LARGE = 'large';

/** Creates the runs that hostile clients request: one of 1,000 tiny events, one of 4 MiB. */
export async function prepare({ graphql }: ServeProcess): Promise<void> {
  for (const [id, text] of [
    [SMALL, 'x'],
    [LARGE, 'y'.repeat(4_000)],
  ] as const) {
    await post(graphql, CREATE_RUN, { id });
    for (let seq = 0; seq < 1_000; seq += 250) {
      const events = Array.from({ length: 250 }, (_, n) => eventOf(seq + n, { text }));
      await post(graphql, INGEST, { b: { v: 1, runId: id, events } });
    }
  }
  // A server's first query compiles Prisma's database queries, which takes about 80 ms.
  await post(graphql, `{ run(id: "${SMALL}") { id job { status } } jobs(first: 1) { nodes { status } } }`);
}

/** Everything that once blocked a server, and what comes closest today. */
export const HOSTILE: readonly Hostile[] = [
  query('fragments that spread each other twice', () => {
    const path = (level: number) => `job { run { ${level < 40 ? `...F${level + 1}` : 'id'} } }`;
    const fragments = Array.from(
      { length: 41 },
      (_, level) => `fragment F${level} on Run { a: ${path(level)} b: ${path(level)} }`,
    );
    return `{ run(id: "${SMALL}") { ...F0 } } ${fragments.join(' ')}`;
  }),
  query(
    'pages of many runs',
    () =>
      `{ runs(first: 100) { nodes { ${many(150, (n) => `e${n}: events(first: 1000) { nodes { seq } }`)} } } }`,
  ),
  query(
    'answers made of names',
    () =>
      `{ run(id: "${SMALL}") { ${many(60, (n) => `e${n}: events(first: 1000) { nodes { ...F } }`)} } }
       fragment F on RunnerEvent { ${many(5, (n) => `${'k'.repeat(2_000)}${n}: seq`)} }`,
  ),
  query(
    'millions of small fields',
    () =>
      `{ run(id: "${SMALL}") { ${many(20, (n) => `e${n}: events(first: 1000) { nodes { ...F } }`)} } }
       fragment F on RunnerEvent { ${many(100, (n) => `c${n}: committedAt`)} }`,
  ),
  {
    name: 'the most expensive allowed query, from ten connections',
    act: async ({ graphql }) => {
      let names = 1;
      const ask = (count: number) =>
        post(
          graphql,
          `{ run(id: "${SMALL}") { events(first: 1000) { nodes { ${many(count, (n) => `c${n}: committedAt`)} } } } }`,
        );
      const isLetIn = async (count: number) => !(await ask(count)).body.errors;
      while (names < 500 && (await isLetIn(names * 2))) names *= 2;
      await Promise.all(Array.from({ length: 10 }, () => ask(names)));
    },
  },
  {
    name: 'large pages, from ten connections',
    act: async ({ graphql }) => {
      const pages = `{ run(id: "${LARGE}") { ${many(7, (n) => `e${n}: events(first: 1000) { nodes { data } }`)} } }`;
      await Promise.all(Array.from({ length: 10 }, () => post(graphql, pages)));
    },
  },
  {
    name: '200,000 invalid enum values',
    act: async ({ graphql }) => {
      const subscription = `subscription ($k: [RunnerEventKind!]) { runEvents(runId: "${SMALL}", kinds: $k) { seq } }`;
      await fetchText(
        graphql,
        { query: subscription, variables: { k: Array(200_000).fill('x') } },
        'text/event-stream',
      );
    },
  },
  {
    name: '1,000,000 valid enum values',
    act: async ({ graphql }) => {
      const filter = { providers: Array(1_000_000).fill('openai') };
      await post(graphql, 'query ($f: RunFilter) { runs(filter: $f) { nodes { id } } }', { f: filter });
    },
  },
  batch('millions of empty objects', () => ({ list: Array(5_000_000).fill({}) })),
  batch('150,000 empty objects', () => ({ list: Array(150_000).fill({}) })),
  batch('a million different keys', () =>
    Object.fromEntries(Array.from({ length: 1_000_000 }, (_, n) => [`key${n}`, n])),
  ),
  batch('40,000 different keys', () =>
    Object.fromEntries(Array.from({ length: 40_000 }, (_, n) => [`key${n}`, n])),
  ),
  batch('one string of 15.9 MiB', () => ({ text: 'z'.repeat(15.9 * MiB) })),
  {
    name: 'seven million brackets',
    act: async ({ graphql }) => {
      const body = `{"query":"{__typename}","variables":{"b":${'['.repeat(7_000_000)}`;
      await fetchText(graphql, body);
    },
  },
  {
    name: 'twelve heavy batches at once',
    act: async ({ graphql }) => {
      const heavy = (seq: number) => ({
        v: 1,
        runId: SMALL,
        events: [eventOf(seq, { list: Array(140_000).fill({}) })],
      });
      await Promise.all(
        Array.from({ length: 12 }, (_, n) => post(graphql, INGEST, { b: heavy(2_000_000 + n) })),
      );
    },
  },
  {
    name: '10,000 subscriptions on one socket',
    act: async ({ graphql }) => {
      const client = await openWebsocket(graphql);
      for (let n = 0; n < 10_000 && client.socket.readyState === WebSocket.OPEN; n += 1)
        client.subscribe(`s${n}`, `subscription { runEvents(runId: "${SMALL}", after: 999999999) { seq } }`);
      await client.drain(1_000);
      client.socket.terminate();
    },
  },
  {
    name: '3,000 subscribers of runUpdated',
    act: async ({ graphql }) => {
      const clients = await Promise.all([1, 2, 3].map(() => openWebsocket(graphql)));
      for (const client of clients)
        for (let n = 0; n < 1_000; n += 1) client.subscribe(`s${n}`, 'subscription { runUpdated { id } }');
      await Promise.all(clients.map((client) => client.drain(1_000)));
      for (let n = 0; n < 3; n += 1) {
        await post(graphql, INGEST, { b: { v: 1, runId: SMALL, events: [eventOf(3_000_000 + n, {})] } });
        await Promise.all(clients.map((client) => client.drain(1_100)));
      }
      for (const client of clients) client.socket.terminate();
    },
  },
  {
    name: 'the logs of a job with a payload of 30,000 lines',
    act: async ({ graphql }) => {
      const prompt = Array.from({ length: 30_000 }, (_, n) => `line ${n} of text`).join('\n');
      const input = { runId: `job${Date.now()}`, provider: 'openai', runner: 'demo', payload: { prompt } };
      await post(graphql, 'mutation ($i: StartJobInput!) { startJob(input: $i) { __typename } }', {
        i: input,
      });
      for (let n = 0; n < 5; n += 1)
        await post(
          graphql,
          `{ job(runId: "${input.runId}") { ${many(4, (k) => `l${k}: logs(lines: 1000)`)} } }`,
        );
    },
  },
  {
    name: 'list filters that find nothing',
    act: async ({ graphql }) => {
      const lists = [
        'filter: { title: "nothing of the kind" }',
        'filter: { labels: { team: "none" } }',
        'filter: { providers: [mistral], ended: true }',
      ];
      for (const filter of lists) await post(graphql, `{ runs(first: 100, ${filter}) { nodes { id } } }`);
      await post(graphql, `{ ${many(10, (n) => `r${n}: runs(first: 100, ${lists[0]}) { nodes { id } }`)} }`);
    },
  },
];

function many(count: number, text: (n: number) => string): string {
  return Array.from({ length: count }, (_, n) => text(n)).join(' ');
}

function eventOf(seq: number, data: unknown): object {
  return { seq, tMs: 1, kind: 'notification', data };
}

function query(name: string, document: () => string): Hostile {
  return {
    name,
    act: async ({ graphql }) => {
      await post(graphql, document());
      await fetch(`${graphql}?query=${encodeURIComponent(document())}`).then((response) => response.text());
    },
  };
}

let nextSeq = 1_000_000;

function batch(name: string, data: () => unknown): Hostile {
  return {
    name,
    act: async ({ graphql }) => {
      nextSeq += 1;
      const events = [eventOf(nextSeq, data())];
      await post(graphql, INGEST, { b: { v: 1, runId: SMALL, events } });
    },
  };
}

async function fetchText(url: string, body: unknown, accept = 'application/json'): Promise<string> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
  return response.text();
}
