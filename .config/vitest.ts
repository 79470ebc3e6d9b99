import { defineConfig } from 'vitest/config';
import { whySkipped } from './why-skipped.ts';

/** Folders whose tests start no processes and measure none. */
const ROOMS =
  'client config conformance contract feed graphql ingest lib retention runtimes schema server wakeups';

const rooms = ROOMS.split(' ').map((folder) => `test/${folder}/**/*.test.ts`);

/** Files of those folders that start processes, wait for deadlines, or need the whole stack and heap of a process. */
const ALONE = [
  'test/client/disconnects.test.ts',
  'test/client/file-spool.test.ts',
  'test/runtimes/adapter-rules.test.ts',
];

const common = {
  setupFiles: ['test/support/each-file.ts'],
  // Long enough for a machine that is busy with something else: no test passes or fails by its speed.
  testTimeout: 120_000,
  hookTimeout: 120_000,
  pool: 'forks' as const,
};

// biome-ignore lint/style/noDefaultExport: Vitest reads its configuration from the default export
export default defineConfig({
  // Vite would take graphql's ESM build and Node its CommonJS one; two of them in a process refuse each other.
  resolve: { alias: [{ find: /^graphql$/, replacement: 'graphql/index.js' }] },
  test: {
    root: new URL('..', import.meta.url).pathname,
    globalSetup: ['.config/build-first.ts'],
    reporters: ['default', whySkipped],
    // Two cores are common in CI: more workers would only make timers late.
    maxWorkers: 2,
    projects: [
      {
        extends: true,
        // Their files share two processes: importing the server anew took longer than most files' tests.
        test: { ...common, name: 'rooms', include: rooms, exclude: ALONE, isolate: false },
      },
      {
        extends: true,
        test: {
          ...common,
          name: 'processes',
          include: ['test/*.test.ts', `test/!(${ROOMS.replaceAll(' ', '|')})/**/*.test.ts`, ...ALONE],
        },
      },
    ],
  },
});
