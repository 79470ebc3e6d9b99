import { readFileSync } from 'node:fs';
import { buildSchema, parse, validate } from 'graphql';
import { describe, expect, test } from 'vitest';
import { browserScript, createShown } from '../../src/server/graphiql/browser.ts';
import { graphiqlPage } from '../../src/server/graphiql/page.ts';
import { tourTabs } from '../../src/server/graphiql/tour.ts';
import { freePort } from '../support/ports.ts';
import { releaseAfterwards } from '../support/releases.ts';
import { PACKAGE_FOLDER } from '../support/runfeed-process.ts';
import { startTestServer } from '../support/server.ts';

const SCHEMA = buildSchema(readFileSync(`${PACKAGE_FOLDER}/schema.graphql`, 'utf8'));

interface Shown {
  readonly feed: string;
  readonly data: Record<string, { seq: number }[]>;
  readonly errors?: readonly { message: string }[];
}

/** Simulates GraphiQL for its fetcher: one tab is open, and its button runs or stops that tab's operation. */
function openTabs(url: string, tabs: readonly { query: string; variables?: string }[]) {
  let clicks = 0;
  const document = { querySelector: () => ({ click: () => (clicks += 1) }) };
  // As in the page: only the text of the functions, without this module around them.
  const create = new Function('document', `${browserScript()}; return createFetcher;`)(document);
  const { fetcher, onTabChange } = create(url);
  return {
    clicks: () => clicks,
    run: (index: number) => {
      const { query, variables } = tabs[index]!;
      const asked = { query, ...(variables && { variables: JSON.parse(variables) }) };
      return fetcher(asked, { documentAST: parse(query) });
    },
    choose: (activeTabIndex: number) => onTabChange({ tabs, activeTabIndex }),
  };
}

/** Subscribes and collects what GraphiQL would show. */
function watch(followed: { subscribe(observer: object): { unsubscribe(): void } }) {
  let last: Shown | undefined;
  let isComplete = false;
  const { unsubscribe } = followed.subscribe({
    next: (shown: Shown) => (last = shown),
    complete: () => (isComplete = true),
  });
  return {
    unsubscribe,
    isComplete: () => isComplete,
    until: (condition: (shown: Shown | undefined) => boolean) =>
      expect.poll(() => condition(last), { timeout: 10_000, interval: 10 }).toBe(true),
    last: () => last,
  };
}

const indexOf = (tabs: readonly { query: string }[], name: string) =>
  tabs.findIndex(({ query }) => query.includes(` ${name}`));

describe('GraphiQL', () => {
  test.each([
    ['of a server', null],
    ['of a demo', 'demo'],
  ])('shows valid, numbered tabs %s that fit into a window of 1,280 pixels', (_whose, demoRunId) => {
    const tabs = tourTabs(demoRunId);
    for (const [index, { query }] of tabs.entries()) {
      expect(validate(SCHEMA, parse(query))).toEqual([]);
      expect(query).toMatch(new RegExp(`^# ${index + 1}\\. `));
      expect(query.split('\n').filter((line) => line.length > 51)).toEqual([]);
    }
  });

  test('of a demo follows the run and the job of the demo', async () => {
    const [first, second, ...more] = tourTabs('demo');
    expect(first?.query).toContain('runEvents(runId: "demo")');
    expect(second?.query).toContain('jobUpdated(runId: "demo")');
    expect(more.some(({ query }) => /stopJob\(\s+input: \{ runId: "demo"/.test(query))).toBe(true);
    const ofDemo = await graphiqlPage({ demoRunId: 'demo', needsToken: false });
    expect(ofDemo.body.includes('runEvents(runId: \\"demo\\")')).toBe(true);
    const ofServer = await graphiqlPage({ demoRunId: null, needsToken: false });
    expect(ofServer.body.includes('runEvents(runId: \\"demo\\")')).toBe(false);
  });

  test('follows a run while other tabs are used, and shows all of its events', async () => {
    const server = await startTestServer();
    releaseAfterwards(() => server.close());
    const tabs = tourTabs(null);
    const graphiql = openTabs(`${server.url}/graphql`, tabs);
    const [create, follow, ingest, end] = ['CreateRun', 'Follow ', 'Ingest', 'EndRun'].map((name) =>
      indexOf(tabs, name),
    ) as [number, number, number, number];

    expect(await graphiql.run(create)).toMatchObject({ data: { createRun: { created: true } } });
    const first = watch(graphiql.run(follow));
    await first.until((shown) => shown?.feed === 'live, 0 results');
    // GraphiQL stops the running operation and reports the new tab in one event-loop turn.
    first.unsubscribe();
    graphiql.choose(ingest);
    expect(await graphiql.run(ingest)).toMatchObject({ data: { ingestEvents: { accepted: 3 } } });
    expect(graphiql.clicks()).toBe(0);
    graphiql.choose(follow);
    await expect.poll(graphiql.clicks).toBe(1);
    const second = watch(graphiql.run(follow));
    await second.until((shown) => shown?.feed === 'live, 3 results');
    expect(second.last()?.data.runEvents?.map(({ seq }) => seq)).toEqual([0, 1, 2]);
    expect(await graphiql.run(end)).toMatchObject({ data: { endRun: { alreadyEnded: false } } });
    await second.until((shown) => shown?.feed === 'complete, 4 results');
    expect(second.isComplete()).toBe(true);
  });

  test('does not restart an operation that was stopped by its button', async () => {
    const server = await startTestServer();
    releaseAfterwards(() => server.close());
    const tabs = tourTabs(null);
    const graphiql = openTabs(`${server.url}/graphql`, tabs);
    await graphiql.run(0);
    const followed = watch(graphiql.run(1));
    await followed.until((shown) => shown?.feed === 'live, 0 results');
    followed.unsubscribe();
    await Promise.resolve();
    graphiql.choose(2);
    graphiql.choose(1);
    await new Promise((resolve) => setTimeout(resolve, 400));
    expect(graphiql.clicks()).toBe(0);
  });

  test('explains that a run is unknown, and that no server responds', async () => {
    const server = await startTestServer();
    releaseAfterwards(() => server.close());
    const unknown = watch(openTabs(`${server.url}/graphql`, tourTabs(null)).run(1));
    await unknown.until((shown) => shown?.errors?.[0]?.message.includes('hello') === true);
    await unknown.until((shown) => shown?.feed === 'refused; press ▶ to try again, 1 results');
    const nowhere = openTabs(`http://127.0.0.1:${await freePort()}/graphql`, tourTabs(null));
    expect(await nowhere.run(0)).toEqual({
      errors: [{ message: expect.stringContaining('No response from http') }],
    });
    const cut = watch(nowhere.run(1));
    await cut.until((shown) => shown?.feed.startsWith('cut: no response from http') === true);
  });

  test('keeps the newest 1,000 results of a feed, and at most a million characters', () => {
    const shown = createShown();
    for (let seq = 0; seq < 1_500; seq += 1) shown.add({ data: { runEvents: { seq } } });
    const { feed, data } = shown.show('live') as Shown;
    expect(feed).toBe('live, the last 1000 of 1500 results');
    expect(data.runEvents?.map(({ seq }) => seq)).toEqual(
      Array.from({ length: 1_000 }, (_, index) => index + 500),
    );
    const text = 'x'.repeat(400_000);
    for (let seq = 0; seq < 4; seq += 1) shown.add({ data: { runEvents: { seq, text } } });
    expect((shown.show('live') as Shown).data.runEvents?.map(({ seq }) => seq)).toEqual([2, 3]);
  });
});
