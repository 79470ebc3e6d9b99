import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { PACKAGE_FOLDER, runRunfeed } from '../support/runfeed-process.ts';

const { version } = JSON.parse(readFileSync(join(PACKAGE_FOLDER, 'package.json'), 'utf8'));

describe('runfeed', () => {
  test.each(['--help', '-h', 'help'])(
    '%s tells the commands, their options and the variables',
    async (argument) => {
      const { code, stdout, stderr } = await runRunfeed([argument]);
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      for (const word of [
        'runfeed serve',
        'runfeed demo',
        'runfeed pipe',
        'runfeed tail',
        'runfeed runs',
        'runfeed stop',
        'runfeed logs',
        '--flush-timeout',
        '--file FILE',
        '--exit',
        'PORT',
        'HOST',
        'DATABASE_URL',
      ]) {
        expect(stdout).toContain(word);
      }
    },
  );

  test.each(['--version', '-v'])('%s prints the version and nothing else', async (argument) => {
    expect(await runRunfeed([argument])).toMatchObject({ code: 0, stdout: `${version}\n`, stderr: '' });
  });

  test.each([
    [['srve'], 'there is no command srve'],
    [['--prot'], 'there is no command --prot'],
    [['serve', '--port', '1'], "Unknown option '--port'"],
    [['serve', 'now'], "Unexpected argument 'now'"],
    [['demo', '--loop'], "Unknown option '--loop'"],
    [['demo', 'run.ndjson'], "Unexpected argument 'run.ndjson'"],
    [['demo', '--file'], "Option '--file <value>' argument missing"],
  ])('%j is refused with code 2, the reason, and where to look', async (args, reason) => {
    const { code, stdout, stderr } = await runRunfeed(args);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain(`runfeed: ${reason}`);
    expect(stderr).toContain('runfeed --help');
  });
});
