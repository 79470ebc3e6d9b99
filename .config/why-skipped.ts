import type { Reporter, TestModule } from 'vitest/node';

/** The variables that enable skipped tests. */
const ENABLED_BY: Readonly<Record<string, string>> = {
  TEST_POSTGRES_URL: 'tests on Postgres',
  TEST_REDIS_URL: 'tests on Redis',
};

/** Reports once, at the end, which variables enable the skipped tests. */
export const whySkipped: Reporter = {
  onTestRunEnd(modules: readonly TestModule[]) {
    const skipped = modules.reduce((sum, { children }) => sum + [...children.allTests('skipped')].length, 0);
    const missing = Object.keys(ENABLED_BY).filter((name) => !process.env[name]);
    if (skipped === 0 || missing.length === 0) return;
    const reasons = missing.map((name) => `${name} enables ${ENABLED_BY[name]}`);
    console.info(
      `${skipped} skipped: ${reasons.join(', ')}. The last section of the README lists all variables.`,
    );
  },
};
