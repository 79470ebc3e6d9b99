import { defineConfig } from 'vitest/config';
import { whySkipped } from './why-skipped.ts';

/** Folders whose tests neither start nor measure processes. The first ones are `npm run test:fast`. */
const FAST = ['config', 'contract', 'feed', 'graphql', 'ingest', 'lib'];
const ROOMS = [...FAST, 'client', 'conformance', 'retention', 'runtimes', 'schema', 'server', 'wakeups'];

const filesIn = (folders: readonly string[]) => folders.map((folder) => `test/${folder}/**/*.test.ts`);

/** Files in the fast folders that run thousands of cases or start a database. */
const SLOW = [
  'test/contract/hostile-input.test.ts',
  'test/feed/schedules.test.ts',
  'test/graphql/claims.test.ts',
  'test/graphql/jobs.test.ts',
  'test/graphql/shared-feed.test.ts',
  'test/graphql/stopped-database.test.ts',
];

/**
 * Files in those folders that start processes, wait for deadlines, or need the whole stack and heap of a
 * process.
 */
const ALONE = [
  'test/client/disconnects.test.ts',
  'test/client/file-spool.test.ts',
  'test/runtimes/adapter-rules.test.ts',
];

const fast = [...filesIn(FAST), 'test/architecture.test.ts', 'test/server/requests.test.ts'];

const common = {
  setupFiles: ['test/support/each-file.ts'],
  // Long enough for a busy machine: no test passes or fails by its speed.
  testTimeout: 120_000,
  hookTimeout: 120_000,
  pool: 'forks' as const,
};

// biome-ignore lint/style/noDefaultExport: Vitest reads its configuration from the default export
export default defineConfig({
  // Vite would load graphql's ESM build and Node its CommonJS build, which refuse to work together in one
  // process.
  resolve: { alias: [{ find: /^graphql$/, replacement: 'graphql/index.js' }] },
  test: {
    root: new URL('..', import.meta.url).pathname,
    globalSetup: ['.config/build-first.ts'],
    reporters: ['default', whySkipped],
    // Two cores are common in CI. Many tests wait for processes, so a third worker uses the time.
    maxWorkers: 3,
    projects: [
      // The files of the first two projects share two processes, because importing the server again took
      // longer than most files' tests.
      {
        extends: true,
        test: { ...common, name: 'fast', include: fast, exclude: SLOW, isolate: false },
      },
      {
        extends: true,
        test: {
          ...common,
          name: 'rooms',
          include: [...filesIn(ROOMS.slice(FAST.length)), ...SLOW],
          exclude: [...ALONE, 'test/server/requests.test.ts'],
          isolate: false,
        },
      },
      {
        extends: true,
        test: {
          ...common,
          name: 'processes',
          include: [...ALONE, 'test/*.test.ts', `test/!(${ROOMS.join('|')})/**/*.test.ts`],
          exclude: ['test/architecture.test.ts'],
        },
      },
    ],
  },
});
