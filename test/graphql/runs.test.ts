import { expect, onTestFinished, test } from 'vitest';
import { describeStores } from '../support/databases.ts';
import { codesOf } from '../support/error-codes.ts';
import { resultOf } from '../support/operations.ts';
import { type Answer, post } from '../support/request.ts';
import { ingest, terminalAt } from '../support/runs.ts';
import { startTestServer } from '../support/server.ts';

const CREATE = `mutation ($input: CreateRunInput!) {
  createRun(input: $input) {
    __typename
    ... on CreateRunSuccess { created run { id provider runtime title labels workspaceId lastSeq nextSeq lastTMs eventCount ended startedAt endedAt terminal { seq } } }
    ... on Error { code message }
  }
}`;

describeStores('createRun', (database) => {
  async function start() {
    const server = await startTestServer({ DATABASE_URL: await database.freshUrl() });
    onTestFinished(() => server.close());
    return async (input: unknown): Promise<Answer> => (await post(server.graphql, CREATE, { input })).body;
  }

  test('creates an empty run, and generates an id if none is given', async () => {
    const create = await start();
    const { data } = await create({ provider: 'gemini' });
    expect(data?.createRun).toEqual({
      __typename: 'CreateRunSuccess',
      created: true,
      run: {
        id: expect.stringMatching(/^[A-Za-z0-9_.:-]{1,128}$/),
        provider: 'gemini',
        runtime: 'managed',
        title: null,
        labels: {},
        workspaceId: 'default',
        lastSeq: null,
        nextSeq: 0,
        lastTMs: 0,
        eventCount: 0,
        ended: false,
        startedAt: null,
        endedAt: null,
        terminal: null,
      },
    });
  });

  test('repeated returns the run unchanged, and a different provider or runtime is a conflict', async () => {
    const create = await start();
    const id = 'A-z_0.9:x';
    await create({ id, provider: 'anthropic', title: 'first', labels: { a: 1 } });
    expect((await create({ id, provider: 'anthropic', title: 'other' })).data?.createRun).toMatchObject({
      created: false,
      run: { id, title: 'first', labels: { a: 1 }, runtime: 'native' },
    });
    for (const input of [
      { id, provider: 'openai' },
      { id, provider: 'anthropic', runtime: 'managed' },
    ]) {
      expect((await create(input)).data?.createRun).toMatchObject({
        __typename: 'RunConflict',
        code: 'run_conflict',
      });
    }
  });

  test('anthropic runs are native by default; all other providers are always managed', async () => {
    const create = await start();
    const runtimeOf = async (input: object) =>
      resultOf<{ run: { runtime: string } }>(await create(input), 'createRun').run.runtime;
    expect(await runtimeOf({ provider: 'anthropic' })).toBe('native');
    expect(await runtimeOf({ provider: 'anthropic', runtime: 'managed' })).toBe('managed');
    for (const provider of ['deepseek', 'openai', 'gemini', 'mistral']) {
      expect(await runtimeOf({ provider })).toBe('managed');
      expect(codesOf((await create({ provider, runtime: 'native' })).errors)).toEqual(['BAD_USER_INPUT']);
    }
  });

  test('text that a database cannot store or search is refused', async () => {
    const create = await start();
    const bad = [
      { id: '' },
      { id: 'x'.repeat(129) },
      { id: "'; drop" },
      { id: 'ü' },
      { title: 'a\u0000b' },
      { title: '\ud800' },
      { title: 'x'.repeat(501) },
      { labels: { a: null } },
      { labels: { a: {} } },
      { labels: { a: [1] } },
      { labels: { a: '\u0000' } },
      { labels: { '\udc00': 1 } },
      { labels: { '': 1 } },
      { labels: Object.fromEntries(Array.from({ length: 65 }, (_, index) => [index, 1])) },
      { labels: [] },
      { labels: 'x' },
      { provider: 'nope' },
    ];
    for (const input of bad) {
      const { errors } = await create({ provider: 'openai', ...input });
      expect(codesOf(errors), JSON.stringify(input)).toEqual(['BAD_USER_INPUT']);
    }
  });

  test('labels and title come back unchanged', async () => {
    const create = await start();
    const labels = JSON.parse('{"z":1,"__proto__":"p","a b":true,"quote\\"d":"\\\\","ünï":1.5,"big":1e21}');
    const title = 'Ünïcode 😀 "quotes" %_\\';
    const answer = await create({ provider: 'openai', title, labels });
    const { run } = resultOf<{ run: { title: string; labels: object } }>(answer, 'createRun');
    expect(run.title).toBe(title);
    expect(Object.entries(run.labels).sort()).toEqual(Object.entries(labels).sort());
  });
});

describeStores('runs', (database) => {
  async function start() {
    const server = await startTestServer({ DATABASE_URL: await database.freshUrl() });
    onTestFinished(() => server.close());
    const create = (input: object) => post(server.graphql, CREATE, { input });
    const list = async (filter: unknown): Promise<string[]> => {
      const query = 'query ($filter: RunFilter) { runs(filter: $filter, first: 100) { nodes { id } } }';
      const { body } = await post(server.graphql, query, { filter });
      if (!body.data) throw new Error(JSON.stringify(body));
      return (body.data.runs as unknown as { nodes: { id: string }[] }).nodes.map(({ id }) => id).reverse();
    };
    return { server, create, list };
  }

  test('pages lead from the newest to the oldest run and back, each run once', async () => {
    const { server, create } = await start();
    const ids = Array.from({ length: 7 }, (_, index) => `run-${index}`);
    for (const id of ids) await create({ id, provider: 'openai' });
    const page = async (args: string) => {
      const query = `{ runs(${args}) { edges { cursor node { id } } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }`;
      const { body } = await post(server.graphql, query);
      return body.data?.runs as unknown as {
        edges: { cursor: string; node: { id: string } }[];
        pageInfo: { hasNextPage: boolean; hasPreviousPage: boolean; startCursor: string; endCursor: string };
      };
    };
    const forward: string[] = [];
    let after = '';
    let more = true;
    while (more) {
      const { edges, pageInfo } = await page(`first: 3${after}`);
      forward.push(...edges.map(({ node }) => node.id));
      after = `, after: "${pageInfo.endCursor}"`;
      more = pageInfo.hasNextPage;
    }
    expect(forward).toEqual(ids.toReversed());
    const backward: string[] = [];
    let before = '';
    more = true;
    while (more) {
      const { edges, pageInfo } = await page(`last: 3${before}`);
      backward.unshift(...edges.map(({ node }) => node.id));
      before = `, before: "${pageInfo.startCursor}"`;
      more = pageInfo.hasPreviousPage;
    }
    expect(backward).toEqual(ids.toReversed());
    expect((await page('first: 0')).edges).toEqual([]);
  });

  test('filters by provider, end and time together', async () => {
    const { server, create, list } = await start();
    await create({ id: 'a', provider: 'openai' });
    await create({ id: 'b', provider: 'gemini' });
    await ingest(server.graphql, 'b', [terminalAt(0)]);
    await new Promise((resolve) => setTimeout(resolve, 20));
    const between = new Date().toISOString();
    await new Promise((resolve) => setTimeout(resolve, 20));
    await create({ id: 'c', provider: 'mistral' });
    expect(await list(null)).toEqual(['a', 'b', 'c']);
    expect(await list({ providers: ['openai', 'mistral'] })).toEqual(['a', 'c']);
    expect(await list({ ended: true })).toEqual(['b']);
    expect(await list({ ended: false })).toEqual(['a', 'c']);
    expect(await list({ createdFrom: between })).toEqual(['c']);
    expect(await list({ createdBefore: between })).toEqual(['a', 'b']);
    expect(await list({ createdBefore: between, ended: false, providers: ['openai'] })).toEqual(['a']);
    expect(await list({ createdBefore: null, ended: null, labels: null, title: null })).toEqual([
      'a',
      'b',
      'c',
    ]);
  });

  test('filters by exact labels with any name', async () => {
    const { create, list } = await start();
    const labels = JSON.parse(
      '{"team":"a","n":1,"yes":true,"dot.ted":"x","quo\\"te":"y","$":"z","back\\\\slash":"b","ü":"u","[0]":"i"}',
    );
    await create({ id: 'all', provider: 'openai', labels });
    await create({ id: 'other', provider: 'openai', labels: { team: 'A', n: '1', yes: 'true' } });
    await create({ id: 'ones', provider: 'openai', labels: { yes: 1, n: true } });
    await create({ id: 'none', provider: 'openai' });
    for (const [name, value] of Object.entries(labels)) {
      expect(await list({ labels: { [name]: value } }), name).toEqual(['all']);
    }
    expect(await list({ labels: { team: 'a', n: 1 } })).toEqual(['all']);
    await create({
      id: 'numbers',
      provider: 'openai',
      labels: { sum: 0.1 + 0.2, long: 12_345_678_901_234_567_000, big: 1e300 },
    });
    expect(await list({ labels: { sum: 0.1 + 0.2, long: 12_345_678_901_234_567_000, big: 1e300 } })).toEqual([
      'numbers',
    ]);
    expect(await list({ labels: { sum: 0.3 } })).toEqual([]);
    expect(await list({ labels: { team: 'a', n: 2 } })).toEqual([]);
    expect(await list({ labels: { team: "a' OR '1'='1" } })).toEqual([]);
    expect(await list({ labels: { absent: 'a' } })).toEqual([]);
  });

  test('filters by the words of the title, in any order and case', async () => {
    const { create, list } = await start();
    await create({ id: 'fix', provider: 'openai', title: 'Fix the Login page' });
    await create({ id: 'login', provider: 'openai', title: 'login is slow' });
    await create({ id: 'untitled', provider: 'openai' });
    expect(await list({ title: 'LOGIN' })).toEqual(['fix', 'login']);
    expect(await list({ title: '  page   fix ' })).toEqual(['fix']);
    expect(await list({ title: 'page slow' })).toEqual([]);
    expect(await list({ title: "' OR 1=1 --" })).toEqual([]);
    await create({ id: 'odd', provider: 'openai', title: 'a_b 100% c\\d' });
    for (const word of ['a_b', '100%', 'c\\d']) expect(await list({ title: word })).toEqual(['odd']);
    for (const word of ['_', '%', '\\']) expect(await list({ title: word })).toEqual(['odd']);
    expect(await list({ title: 'l_gin' })).toEqual([]);
    expect(await list({ title: '' })).toEqual(['fix', 'login', 'untitled', 'odd']);
  });
});
