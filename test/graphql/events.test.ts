import { expect, onTestFinished, test } from 'vitest';
import { describeStores } from '../support/databases.ts';
import { codesOf } from '../support/error-codes.ts';
import { resultOf } from '../support/operations.ts';
import { type Answer, post } from '../support/request.ts';
import { eventsFrom, fill, ingest, newRun, terminalAt } from '../support/runs.ts';
import { startTestServer } from '../support/server.ts';

interface Page {
  readonly nodes: readonly { readonly seq: number }[];
  readonly edges: readonly { readonly cursor: string }[];
  readonly pageInfo: {
    readonly hasNextPage: boolean;
    readonly hasPreviousPage: boolean;
    readonly startCursor: string | null;
    readonly endCursor: string | null;
  };
}

describeStores('Run.events', (database) => {
  async function start() {
    const server = await startTestServer({ DATABASE_URL: await database.freshUrl() });
    onTestFinished(() => server.close());
    const runId = await newRun(server.graphql);
    const ask = async (args: string): Promise<Answer> => {
      const page =
        'nodes { seq } edges { cursor } pageInfo { hasNextPage hasPreviousPage startCursor endCursor }';
      return (await post(server.graphql, `{ run(id: "${runId}") { events${args} { ${page} } } }`)).body;
    };
    const read = async (args: string) => resultOf<{ events: Page }>(await ask(args), 'run').events;
    const numbers = async (args: string) => (await read(args)).nodes.map(({ seq }) => seq);
    return { graphql: server.graphql, runId, ask, read, numbers };
  }

  test('reads forward and backward from any cursor, always in order', async () => {
    const { graphql, runId, read, numbers } = await start();
    await ingest(
      graphql,
      runId,
      [0, 1, 5, 6, 9].map((seq) => eventsFrom(seq, 1)[0]),
    );
    expect(await numbers('')).toEqual([0, 1, 5, 6, 9]);
    expect(await numbers('(first: 2)')).toEqual([0, 1]);
    expect(await numbers('(first: 2, after: "1")')).toEqual([5, 6]);
    expect(await numbers('(first: 2, after: "3")')).toEqual([5, 6]);
    expect(await numbers('(last: 2)')).toEqual([6, 9]);
    expect(await numbers('(last: 2, before: "6")')).toEqual([1, 5]);
    expect(await numbers('(after: "0", before: "9")')).toEqual([1, 5, 6]);
    expect(await numbers('(last: 9, after: "0", before: "9")')).toEqual([1, 5, 6]);
    expect(await numbers('(first: 0)')).toEqual([]);
    expect(await numbers('(after: "-1", first: 1)')).toEqual([0]);
    expect(await numbers('(after: "9")')).toEqual([]);
    expect(await numbers('(after: "9007199254740991")')).toEqual([]);
    expect(await read('(first: 2, after: "0")')).toMatchObject({
      edges: [{ cursor: '1' }, { cursor: '5' }],
      pageInfo: { hasNextPage: true, hasPreviousPage: true, startCursor: '1', endCursor: '5' },
    });
    expect((await read('(first: 5)')).pageInfo).toMatchObject({ hasNextPage: false, hasPreviousPage: false });
    expect((await read('(last: 5)')).pageInfo).toMatchObject({ hasNextPage: false, hasPreviousPage: false });
  });

  test('invalid cursors and counts are refused', async () => {
    const { ask } = await start();
    for (const args of [
      '(after: "x")',
      '(after: "")',
      '(after: "1.5")',
      '(before: "-2")',
      '(after: "99999999999999999999")',
      '(first: 1001)',
      '(last: 1001)',
      '(first: -1)',
      '(first: 1, last: 1)',
      '(kinds: [])',
    ]) {
      expect(codesOf((await ask(args)).errors), args).toEqual(['BAD_USER_INPUT']);
    }
  });

  test('a rare kind in a long run comes in short pages that continue to the end', async () => {
    const { graphql, runId, read } = await start();
    await fill(graphql, runId, 0, 25_000);
    await ingest(graphql, runId, [terminalAt(25_000)]);
    const found: number[] = [];
    let pages = 0;
    let after = '';
    for (let more = true; more; pages += 1) {
      const page = await read(`(first: 10, kinds: [runtime_terminal]${after})`);
      found.push(...page.nodes.map(({ seq }) => seq));
      more = page.pageInfo.hasNextPage;
      after = `, after: "${page.pageInfo.endCursor}"`;
    }
    expect(found).toEqual([25_000]);
    expect(pages).toBeGreaterThan(1);
    const [before] = (await read('(last: 1, kinds: [assistant_text])')).nodes;
    expect(before?.seq).toBe(24_999);
  });
});

describeStores('an answer that would be too large', (database) => {
  async function start() {
    const server = await startTestServer({ DATABASE_URL: await database.freshUrl() });
    onTestFinished(() => server.close());
    const runId = await newRun(server.graphql);
    return { graphql: server.graphql, runId };
  }

  test('is refused if its pages contain too many bytes', async () => {
    const { graphql, runId } = await start();
    const data = { text: 'x'.repeat(1024 * 1024) };
    for (let seq = 0; seq < 4; seq += 1) {
      await ingest(graphql, runId, [{ seq, tMs: 0, kind: 'notification', data }]);
    }
    const pages = (count: number) =>
      Array.from({ length: count }, (_, index) => `p${index}: events { nodes { seq } }`).join(' ');
    const few = (await post(graphql, `{ run(id: "${runId}") { ${pages(4)} } }`)).body;
    expect(few.errors).toBeUndefined();
    const many = (await post(graphql, `{ run(id: "${runId}") { ${pages(6)} } }`)).body;
    expect(codesOf(many.errors)).toContain('RESPONSE_TOO_LARGE');
  });

  test('is refused if it selects the same data under many aliases', async () => {
    const { graphql, runId } = await start();
    const data = { text: 'x'.repeat(1024 * 1024) };
    await ingest(graphql, runId, [{ seq: 0, tMs: 0, kind: 'notification', data }]);
    const names = Array.from({ length: 100 }, (_, index) => `d${index}: data`).join(' ');
    const { body } = await post(graphql, `{ run(id: "${runId}") { events { nodes { ${names} } } } }`);
    expect(codesOf(body.errors)).toContain('RESPONSE_TOO_LARGE');
  });
});
