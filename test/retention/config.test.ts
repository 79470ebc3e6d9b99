import { describe, expect, test } from 'vitest';
import { readConfig } from '../../src/config/env.ts';
import { freshSqliteUrl } from '../support/databases.ts';
import { runRunfeed } from '../support/runfeed-process.ts';

describe('RETENTION_DAYS', () => {
  test.each([
    ['1', 1],
    ['30', 30],
    ['36500', 36_500],
    ['', null],
  ])('%j keeps history for %s days', (RETENTION_DAYS, days) => {
    expect(readConfig({ RETENTION_DAYS })).toMatchObject({ ok: true, config: { retentionDays: days } });
  });

  test.each(['0', '-1', '1.5', '36501', '1e2', '0x10', ' 7', '7d', 'NaN', 'never'])(
    'is refused when it is %j',
    (RETENTION_DAYS) => {
      expect(readConfig({ RETENTION_DAYS })).toEqual({
        ok: false,
        problems: [expect.stringMatching(/^RETENTION_DAYS must be a whole number of days/)],
      });
    },
  );

  test('with an invalid value ends the server with one line and code 2 and no database', async () => {
    const DATABASE_URL = await freshSqliteUrl();
    const exit = await runRunfeed(['serve'], { PORT: '0', DATABASE_URL, RETENTION_DAYS: 'a week' });
    expect(exit).toMatchObject({ code: 2, stdout: '' });
    expect(exit.stderr).toMatch(/^runfeed: RETENTION_DAYS must be a whole number of days[^\n]*\n$/);
  });
});
