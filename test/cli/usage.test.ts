import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { RUNTIME_NAMES } from '../../src/runtimes/registry.ts';
import { PACKAGE_FOLDER, runRunfeed } from '../support/runfeed-process.ts';

const { version } = JSON.parse(readFileSync(join(PACKAGE_FOLDER, 'package.json'), 'utf8'));

const COMMANDS = ['demo', 'serve', 'pipe', 'tail', 'runs', 'stop', 'logs'];

describe('runfeed', () => {
  test.each([[[]], [['--help']], [['-h']], [['help']]])('%j lists the commands', async (args) => {
    const { code, stdout, stderr } = await runRunfeed(args);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    for (const command of COMMANDS) expect(stdout).toMatch(new RegExp(`^ {2}runfeed ${command} .*\\S$`, 'm'));
  });

  test.each([
    ['serve', ['PORT', 'HOST', 'DATABASE_URL', 'PUBLIC_URL']],
    ['demo', ['--file FILE', '--exit', '--stop-after N', 'PORT']],
    ['pipe', ['--run RUN', '--runtime', '--spool-mib', '--flush-timeout', '--url', '--token', '-- COMMAND']],
    ['pipe', RUNTIME_NAMES],
    ['tail', ['RUN', '--after N', '--json', '--no-color', '--url', '--token']],
    ['runs', ['--limit N', '--json', '--url']],
    ['stop', ['RUN', '--grace MS', '--no-wait', '--url']],
    ['logs', ['RUN', '--lines N', '--url']],
  ])('%s --help shows its options and runs nothing', async (command, words) => {
    const { code, stdout, stderr } = await runRunfeed([command, '--help']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(new RegExp(`^runfeed ${command}`));
    for (const word of words) expect(stdout).toContain(word);
  });

  test('passes --help after -- to the command that it runs', async () => {
    const { stderr } = await runRunfeed(['pipe', '--url', 'http://127.0.0.1:9', '--', 'agent', '--help']);
    expect(stderr).toContain('cannot reach');
  });

  test.each(['--version', '-v'])('%s prints the version and nothing else', async (argument) => {
    expect(await runRunfeed([argument])).toMatchObject({ code: 0, stdout: `${version}\n`, stderr: '' });
  });

  test.each([
    [['srve'], 'unknown command srve: see runfeed --help'],
    [['--prot'], 'unknown command --prot: see runfeed --help'],
    [['serve', '--port', '1'], "Unknown option '--port': see runfeed serve --help"],
    [['serve', 'now'], "Unexpected argument 'now'"],
    [['demo', '--loop'], "Unknown option '--loop': see runfeed demo --help"],
    [['demo', 'run.ndjson'], "Unexpected argument 'run.ndjson'"],
    [['demo', '--file'], "Option '--file <value>' argument missing: see runfeed demo --help"],
    [['tail', 'r', '--jsn'], "Unknown option '--jsn': see runfeed tail --help"],
    [['tail'], "tail takes one argument, the run's id: see runfeed tail --help"],
  ])(
    '%j is refused with one line that has the reason and the help command, exit code 2',
    async (args, reason) => {
      const { code, stdout, stderr } = await runRunfeed(args);
      expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
      expect(stderr).toMatch(/^runfeed: [^\n]* --help\n$/);
      expect(stderr).toContain(reason);
    },
  );
});
