import { describe, expect, test } from 'vitest';
import { FEED_LIMITS } from '../../src/feed/limits.ts';
import { atSize, PROOF_TIMEOUT_MS } from '../proofs/size.ts';
import { freshSqliteUrl } from '../support/databases.ts';
import { releaseAfterwards } from '../support/releases.ts';
import { eventsFrom, eventually, fill, ingest, newRun, terminalAt } from '../support/runs.ts';
import { type ComposedServer, composeServer } from './composed-server.ts';
import { countingStore, type Reads } from './counting-store.ts';
import { type Dashboard, startDashboard } from './dashboard.ts';

const RUNS = 20;
const CLIENTS = Math.min(2_000, atSize(400));
const EVENTS = 3_000;
const PAGES = Math.ceil(EVENTS / FEED_LIMITS.pageEvents);
const STORM_MS = 1_500;
const LIVE_BATCHES = 10;

const runIds = Array.from({ length: RUNS }, (_, run) => `run-${run}`);

const fromTheStart = (): number => -1;
const fromAnywhere = (): number => Math.floor(Math.random() * EVENTS) - 1;

/** Creates a database in which every run has history, with no server running on it. */
async function databaseWithHistory(): Promise<string> {
  const url = await freshSqliteUrl();
  const server = await composeServer(url);
  for (const runId of runIds) {
    await newRun(server.graphql, runId);
    await fill(server.graphql, runId, 0, EVENTS);
  }
  await server.close();
  return url;
}

async function startCounted(url: string): Promise<ComposedServer & { readonly reads: Reads }> {
  const { wrap, reads } = countingStore();
  const server = await composeServer(url, { wrap });
  releaseAfterwards(() => server.close());
  return { ...server, reads };
}

function startDashboards(graphql: string, after: () => number): Dashboard[] {
  return Array.from({ length: CLIENTS }, (_, client) =>
    startDashboard(graphql, runIds[client % RUNS]!, after(), () => Math.random() * STORM_MS),
  );
}

const arrived = (dashboards: readonly Dashboard[], seq: number): Promise<void> =>
  eventually(() => dashboards.every(({ cursor }) => cursor() >= seq), PROOF_TIMEOUT_MS / 2);

function tellReads(what: string, { pages, heads, runs }: Reads): void {
  if (process.env.RUNFEED_PROOF_SIZE === undefined) return;
  console.info(
    `${what}: ${CLIENTS} clients, ${RUNS} runs of ${PAGES} pages: ${pages} reads of pages, ${heads} of heads, ${runs} of runs`,
  );
}

/**
 * Expects few reads of heads: one when a run is first followed and one when it is first written, plus those
 * of all followed runs once a second.
 */
function expectFewHeads({ heads }: Reads, since: number): void {
  const polls = Math.ceil((Date.now() - since) / FEED_LIMITS.pollMs);
  expect(heads).toBeLessThanOrEqual(3 * RUNS + polls);
}

describe('a storm of reconnecting clients', () => {
  test.each([
    ['from the start', fromTheStart, PAGES],
    // A client that follows a reader at an earlier position shares its pages, which saves all but a few
    // reads.
    ['each from a different cursor', fromAnywhere, PAGES + 7],
  ] as const)(
    '%s causes reads per page instead of per client, and none for live events',
    async (what, after, pagesPerRun) => {
      const { graphql, reads } = await startCounted(await databaseWithHistory());
      const since = Date.now();
      const dashboards = startDashboards(graphql, after);
      await arrived(dashboards, EVENTS - 1);
      tellReads(what, reads);
      expect(reads.pages).toBeLessThanOrEqual(RUNS * pagesPerRun);
      const history = reads.pages;
      for (let batch = 0; batch < LIVE_BATCHES; batch += 1) {
        await Promise.all(runIds.map((runId) => ingest(graphql, runId, eventsFrom(EVENTS + batch * 5, 5))));
      }
      const last = EVENTS + LIVE_BATCHES * 5;
      await Promise.all(runIds.map((runId) => ingest(graphql, runId, [terminalAt(last)])));
      await Promise.all(dashboards.map(({ done }) => done));
      // The poll may find a commit just before its wake-up arrives.
      expect(reads.pages - history).toBeLessThanOrEqual(RUNS);
      expectFewHeads(reads, since);
    },
    2 * PROOF_TIMEOUT_MS,
  );

  test(
    'after an announced restart misses nothing and receives nothing twice',
    async () => {
      const url = await databaseWithHistory();
      const first = await composeServer(url);
      const { graphql } = first;
      const dashboards = startDashboards(graphql, () => EVENTS - 1);
      let next = EVENTS;
      const appendToAll = async () => {
        await Promise.all(runIds.map((runId) => ingest(graphql, runId, eventsFrom(next, 5))));
        next += 5;
      };
      await appendToAll();
      await arrived(dashboards, next - 1);
      // Some clients receive these events before the restart and some after it.
      await appendToAll();
      await first.close();
      const { wrap, reads } = countingStore();
      const since = Date.now();
      const second = await composeServer(url, { wrap, port: Number(new URL(graphql).port) });
      releaseAfterwards(() => second.close());
      for (let batch = 0; batch < LIVE_BATCHES; batch += 1) await appendToAll();
      await Promise.all(runIds.map((runId) => ingest(graphql, runId, [terminalAt(next)])));
      await Promise.all(dashboards.map(({ done }) => done));
      tellReads('after a restart', reads);
      expect(dashboards.map(({ closes }) => closes[0])).toEqual(dashboards.map(() => 1012));
      expect(dashboards.every(({ cursor }) => cursor() === next)).toBe(true);
      expect(reads.pages).toBeLessThanOrEqual(4 * RUNS);
      expectFewHeads(reads, since);
    },
    2 * PROOF_TIMEOUT_MS,
  );
});
