import type { Reporter, TestModule } from 'vitest/node';

/** What enables the tests that are skipped without it. */
const ENABLED_BY: Readonly<Record<string, string>> = {
  TEST_POSTGRES_URL: 'tests on Postgres',
  TEST_REDIS_URL: 'tests on Redis',
};

/** Says at the end, once, which variables enable the tests that were skipped. */
export const whySkipped: Reporter = {
  onTestRunEnd(modules: readonly TestModule[]) {
    const skipped = modules.reduce((sum, { children }) => sum + [...children.allTests('skipped')].length, 0);
    const missing = Object.keys(ENABLED_BY).filter((name) => !process.env[name]);
    if (skipped === 0 || missing.length === 0) return;
    const reasons = missing.map((name) => `${name} enables ${ENABLED_BY[name]}`);
    console.info(`${skipped} skipped: ${reasons.join(', ')}; the README’s last section lists all variables.`);
  },
};
