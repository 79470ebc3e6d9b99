import { mkdtemp, readdir, readlink, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { DEMO_TRANSCRIPT } from '../../src/cli/transcript.ts';
import { createGooseAdapter } from '../../src/runtimes/goose/goose.ts';
import { freePort } from '../support/ports.ts';
import { releaseAfterwards } from '../support/releases.ts';
import { runRunfeed, startRunfeed } from '../support/runfeed-process.ts';

async function freshFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'runfeed-demo-test-'));
  releaseAfterwards(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** The processes whose working folder is below this folder. Empty on systems other than Linux. */
async function processesIn(folder: string): Promise<string[]> {
  const ids = (await readdir('/proc').catch(() => [])).filter((name) => /^\d+$/.test(name));
  const folders = await Promise.all(ids.map((id) => readlink(`/proc/${id}/cwd`).catch(() => '')));
  return folders.filter((each) => each.startsWith(folder));
}

/** The kinds of the printed events, without the server's own events about the job. */
function printedEvents(stdout: string): string[] {
  const lines = [...stdout.matchAll(/^ *\d+ +\d+\.\ds +(\w+) (.*)$/gm)];
  return lines.flatMap(([, kind = '', data = '']) => (data.includes('"resource_stats"') ? [] : [kind]));
}

function adaptedEvents(lines: readonly string[]): string[] {
  const adapter = createGooseAdapter();
  const events = [...adapter.push(Buffer.from(`${lines.join('\n')}\n`)), ...adapter.end({ exitCode: 0 })];
  return events.map(({ kind }) => kind);
}

const FEW_LINES = DEMO_TRANSCRIPT.slice(0, 3);

describe('runfeed demo', () => {
  test('with --exit prints the address of GraphiQL and every event, and exits with 0', async () => {
    const { code, stdout, stderr } = await runRunfeed(['demo', '--exit']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(/^GraphiQL: http:\/\/127\.0\.0\.1:\d+\/graphiql/);
    expect(printedEvents(stdout)).toEqual(adaptedEvents(DEMO_TRANSCRIPT));
    expect(stdout).toMatch(/^The agent works for at most 18 s\./m);
    // The job ends after its run, and its line comes last.
    expect(stdout).toMatch(/runtime_terminal .*\n\njob: +terminated on substrate process, exit code 0\n$/);
  });

  test('stays up after the run has ended; on Ctrl-C it exits with 0 and removes its store', async () => {
    const TMPDIR = await freshFolder();
    const demo = startRunfeed(['demo', '--file', '-'], { TMPDIR });
    demo.stdin.end(`${FEW_LINES.join('\n')}\n`);
    const [, graphiql = ''] = await demo.printed(/GraphiQL: (\S+)/);
    await demo.printed(/stays up at/);
    expect((await fetch(graphiql)).status).toBe(200);
    expect(await readdir(TMPDIR)).toHaveLength(1);
    demo.kill('SIGINT');
    const { code, stdout, stderr } = await demo.exit;
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(printedEvents(stdout)).toEqual(adaptedEvents(FEW_LINES));
    expect(await readdir(TMPDIR)).toEqual([]);
  });

  test('plays standard input as it arrives', async () => {
    const demo = startRunfeed(['demo', '--file', '-', '--exit']);
    demo.stdin.write(`${FEW_LINES[0]}\n`);
    await demo.printed(/0\.0s +runtime_started/);
    demo.stdin.end(`${FEW_LINES.slice(1).join('\n')}\n`);
    const { code, stdout } = await demo.exit;
    expect(code).toBe(0);
    expect(printedEvents(stdout)).toEqual(adaptedEvents(FEW_LINES));
  });

  test('listens on PORT', async () => {
    const PORT = String(await freePort());
    const demo = startRunfeed(['demo', '--file', '-', '--exit'], { PORT });
    demo.stdin.end(`${FEW_LINES.join('\n')}\n`);
    const { code, stdout } = await demo.exit;
    expect(code).toBe(0);
    expect(stdout).toContain(`GraphiQL: http://127.0.0.1:${PORT}/graphiql `);
  });

  test('refuses a PORT that is no port with one line, exit code 2', async () => {
    const { code, stdout, stderr } = await runRunfeed(['demo', '--exit'], { PORT: 'http' });
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(/^runfeed: PORT must be a port: .*\n$/);
  });

  test('says what it waits for after --stop-after', async () => {
    const { code, stdout } = await runRunfeed(['demo', '--stop-after', '0.1', '--exit']);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^\(stopJob, after 0\.1 s; the run ends when no event .* for 5 s\)$/m);
  });

  test.each([
    ['a playing run', ['demo']],
    ['an open input', ['demo', '--file', '-']],
  ])('on Ctrl-C in the middle of %s, exits with 0 and removes its store', async (_what, args) => {
    const TMPDIR = await freshFolder();
    const demo = startRunfeed(args, { TMPDIR });
    demo.stdin.write(`${FEW_LINES[0]}\n`);
    await demo.printed(/runtime_started/);
    demo.kill('SIGINT');
    expect(await demo.exit).toMatchObject({ code: 0, stderr: '' });
    expect(await readdir(TMPDIR)).toEqual([]);
  });

  test('exits with 0 and leaves neither its store nor its runner when its terminal is closed', async () => {
    const TMPDIR = await freshFolder();
    const demo = startRunfeed(['demo'], { TMPDIR });
    await demo.printed(/runtime_started/);
    // The system and the shell both send the signal, in any interval.
    demo.kill('SIGHUP');
    await sleep(400);
    demo.kill('SIGHUP');
    expect(await demo.exit).toMatchObject({ code: 0, stderr: '' });
    expect(await readdir(TMPDIR)).toEqual([]);
    expect(await processesIn(TMPDIR)).toEqual([]);
  });

  test('exits with 0 and removes its store when the reader of its output is gone', async () => {
    const TMPDIR = await freshFolder();
    const demo = startRunfeed(['demo'], { TMPDIR });
    await demo.printed(/GraphiQL/);
    demo.hangUp();
    expect(await demo.exit).toMatchObject({ code: 0, stderr: '' });
    expect(await readdir(TMPDIR)).toEqual([]);
  });

  test.each([
    ['that does not exist', 'no-such-run.ndjson', 'no-such-run.ndjson'],
    ['that is a folder', '.', 'is a folder'],
  ])('refuses a file %s with one line, exit code 1', async (_what, file, reason) => {
    const TMPDIR = await freshFolder();
    const { code, stdout, stderr } = await runRunfeed(['demo', '--file', file, '--exit'], { TMPDIR });
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(/^runfeed: .*\n$/);
    expect(stderr).toContain(reason);
    expect(await readdir(TMPDIR)).toEqual([]);
  });
});
