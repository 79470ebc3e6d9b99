import { defineConfig } from 'vitest/config';

if (!process.env.TEST_POSTGRES_URL) {
  console.warn(
    'TEST_POSTGRES_URL is not set: what runs on Postgres is skipped, except on servers that tests start.',
  );
}

// biome-ignore lint/style/noDefaultExport: Vitest reads its configuration from the default export
export default defineConfig({
  // Vite would take graphql's ESM build and Node its CommonJS one; two of them in a process refuse each other.
  resolve: { alias: [{ find: /^graphql$/, replacement: 'graphql/index.js' }] },
  test: {
    root: new URL('..', import.meta.url).pathname,
    include: ['test/**/*.test.ts'],
    globalSetup: ['.config/build-first.ts'],
    // Long enough for a machine that is busy with something else: no test passes or fails by its speed.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    // Two cores are common in CI: more workers would only make timers late.
    maxWorkers: 2,
    pool: 'forks',
  },
});
