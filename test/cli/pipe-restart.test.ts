import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { fixedPort } from '../support/ports.ts';
import { readRun, textOf } from '../support/run-log.ts';
import { runRunfeed, startRunfeed, startServe } from '../support/runfeed-process.ts';
import { freshFolder, GOOSE_COMPLETE, gooseText, writeProgram } from '../support/scripts.ts';

const TEXT = `const text = (text) => process.stdout.write(JSON.stringify({ type: 'message', message:
  { id: 'm', role: 'assistant', created: 1, content: [{ type: 'text', text }], metadata: {} } }) + '\\n');
const flood = async (count) => { for (let n = 0; n < count; n += 1) { text(n + 'b'.repeat(65_536) + ' ');
  if (process.stdout.writableNeedDrain) await require('node:events').once(process.stdout, 'drain'); } };
const complete = () => process.stdout.write(${JSON.stringify(GOOSE_COMPLETE)});`;

/**
 * Printed once the flood has filled a spool of 1 MiB: 15 pieces fit, and `pipe` reads no further until it has
 * stored the 16th. An earlier piece proves nothing: the next ones may still be in the command's own buffers.
 */
const SPOOL_FULL = /"15b{65536} "/;

/** An agent that says each line of standard input, and completes when the input ends. */
const ECHO = `${TEXT}
  require('node:readline').createInterface({ input: process.stdin }).on('line', text).on('close', complete);`;

async function eventually<Value>(look: () => Promise<Value | null | false | undefined>): Promise<Value> {
  for (;;) {
    const value = await look();
    if (value) return value;
    await sleep(20);
  }
}

const startAt = (port: number, DATABASE_URL?: string) =>
  startServe({ PORT: String(port), ...(DATABASE_URL && { DATABASE_URL }) });

const foldersIn = async (base: string) => (await readdir(base)).length;

describe('runfeed pipe after a kill', () => {
  test('replaces a pipe in the place of its lock, whose writer it does not wait for', async () => {
    const server = await startServe();
    const spool = await freshFolder();
    const folder = createHash('sha256').update(`${server.graphql}\nr`).digest('hex').slice(0, 32);
    await mkdir(join(spool, folder), { mode: 0o700 });
    execFileSync('mkfifo', [join(spool, folder, 'lock-4194305-00')]);
    const program = await writeProgram('goose', `${TEXT} text('done'); complete();`);
    const args = ['pipe', '--url', server.url, '--run', 'r', '--spool', spool, '--', program];
    expect(await runRunfeed(args)).toMatchObject({ code: 0 });
    expect(textOf((await readRun(server.graphql, 'r'))!.events)).toBe('done');
    expect(await foldersIn(spool)).toBe(0);
  });

  test('continues the run: no acknowledged event is lost or duplicated, and the run starts once', async () => {
    const server = await startServe();
    const spool = await freshFolder();
    const counting = await writeProgram(
      'goose',
      `${TEXT} let n = 0; setInterval(() => { for (let i = 0; i < 5; i += 1) text((n += 1) + ' '); }, 1);`,
    );
    const args = ['pipe', '--url', server.url, '--run', 'r', '--spool', spool, '--'];
    for (let starts = 1; starts <= 2; starts += 1) {
      const pipe = startRunfeed([...args, counting]);
      // The events that the previous process left behind arrive first.
      await eventually(async () => {
        const all = (await readRun(server.graphql, 'r'))?.events ?? [];
        const begins = all.filter(({ kind, data }) => kind === 'runtime_started' || data.event === 'resumed');
        return begins.length === starts && all.length > begins.at(-1)!.seq + 100;
      });
      pipe.kill('SIGKILL');
      await pipe.exit;
    }
    const before = (await readRun(server.graphql, 'r'))!.events;
    const last = await writeProgram('goose', `${TEXT} text('done'); complete();`);
    expect(await runRunfeed([...args, last])).toMatchObject({ code: 0, stderr: '' });

    const { events, ended } = (await readRun(server.graphql, 'r'))!;
    expect(ended).toBe(true);
    expect(events.slice(0, before.length)).toEqual(before);
    expect(events.map(({ seq }) => seq)).toEqual(events.map((_, place) => place));
    const starts = events.filter(({ kind }) => kind === 'runtime_started');
    const resumed = events.filter(({ data }) => data.event === 'resumed');
    expect([starts.map(({ seq }) => seq), resumed.length]).toEqual([[0], 2]);
    // Each of the two killed processes counted from one, and its stored numbers have no gap.
    const [first = '', second = '', third] = events
      .map(({ kind, data }) => (data.event === 'resumed' ? '|' : kind === 'assistant_text' ? data.text : ''))
      .join('')
      .split('|');
    for (const counted of [first, second]) {
      const numbers = counted.trim().split(' ').map(Number);
      expect(numbers).toEqual(numbers.map((_, place) => place + 1));
    }
    expect(third).toBe('done');
    expect(await foldersIn(spool)).toBe(0);
  });

  test('refuses to start while another process reports to the same run', async () => {
    const server = await startServe();
    const spool = await freshFolder();
    const args = ['pipe', '--url', server.url, '--run', 'r', '--spool', spool, '--runtime', 'goose'];
    const first = startRunfeed(args);
    first.stdin.write(gooseText('here'));
    await first.printed(/here/);
    const { code, stderr } = await runRunfeed([...args, '--', 'true']);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^runfeed: process \d+ already reports to this run/);
  });
});

describe('an unreachable server', () => {
  test('gets all events once it is back, and the command continues meanwhile', async () => {
    const port = await fixedPort();
    const server = await startAt(port);
    const goose = await writeProgram('goose', ECHO);
    const args = ['pipe', '--url', server.url, '--run', 'r', '--spool', await freshFolder(), '--', goose];
    const pipe = startRunfeed(args);
    pipe.stdin.write('before,\n');
    await eventually(async () => textOf((await readRun(server.graphql, 'r'))?.events ?? []) === 'before,');
    server.kill('SIGKILL');
    await server.exit;
    for (let n = 0; n < 1_000; n += 1) pipe.stdin.write(`${n},\n`);
    await pipe.printed(/"999,"/);
    const successor = await startAt(port, server.databaseUrl);
    pipe.stdin.end('after\n');
    const { code, stderr } = await pipe.exit;
    expect(code).toBe(0);
    expect(stderr).toMatch(
      /^runfeed: delivery interrupted, keeping events in .*\nrunfeed: delivery resumed\n$/,
    );
    const numbers = Array.from({ length: 1_000 }, (_, n) => `${n},`).join('');
    const { events } = (await readRun(successor.graphql, 'r'))!;
    expect(textOf(events)).toBe(`before,${numbers}after`);
  });

  test('at the end causes exit code 74, and running the same command again delivers the rest', async () => {
    const port = await fixedPort();
    const server = await startAt(port);
    const spool = await freshFolder();
    const goose = await writeProgram('goose', ECHO);
    const options = ['--url', server.url, '--run', 'r', '--spool', spool, '--flush-timeout', '1'];
    const pipe = startRunfeed(['pipe', ...options, '--', goose]);
    pipe.stdin.write('one\n');
    await eventually(async () => textOf((await readRun(server.graphql, 'r'))?.events ?? []) === 'one');
    server.kill('SIGKILL');
    await server.exit;
    pipe.stdin.end('two\n');
    const { code, stderr } = await pipe.exit;
    expect(code).toBe(74);
    // The first events may be stored without an acknowledgement.
    expect(stderr).toMatch(/events [02] to 3 were not delivered and stay in /);
    expect(await foldersIn(spool)).toBe(1);

    const successor = await startAt(port, server.databaseUrl);
    const again = await runRunfeed(['pipe', ...options, '--flush-timeout', '60', '--', 'echo', 'started']);
    expect(again).toMatchObject({
      code: 1,
      stdout: '',
      stderr: 'runfeed: run r has ended, so nothing was started; its last events have now been delivered\n',
    });
    const run = await readRun(successor.graphql, 'r');
    expect(textOf(run!.events)).toBe('onetwo');
    expect(run!.ended).toBe(true);
    expect(await foldersIn(spool)).toBe(0);
  });

  test('starts nothing over damaged events until it is back', async () => {
    const port = await fixedPort();
    const server = await startAt(port);
    const spool = await freshFolder();
    const goose = await writeProgram('goose', ECHO);
    const options = ['--url', server.url, '--run', 'r', '--spool', spool, '--flush-timeout', '0'];
    const pipe = startRunfeed(['pipe', ...options, '--', goose]);
    pipe.stdin.write('one\n');
    await eventually(async () => textOf((await readRun(server.graphql, 'r'))?.events ?? []) === 'one');
    server.kill('SIGKILL');
    await server.exit;
    pipe.stdin.write('two\n');
    await pipe.printed(/two/);
    pipe.kill('SIGKILL');
    await pipe.exit;
    const [folder = ''] = await readdir(spool);
    const names = (await readdir(join(spool, folder))).filter((name) => name.endsWith('.ndjson'));
    for (const name of names) await writeFile(join(spool, folder, name), 'not events\n');

    const args = ['pipe', ...options, '--', 'echo', 'started'];
    const away = await runRunfeed(args);
    expect(away).toMatchObject({ code: 1, stdout: '' });
    expect(away.stderr).toContain('undelivered events on disk are damaged');
    await startAt(port, server.databaseUrl);
    const back = await runRunfeed(['pipe', ...options, '--runtime', 'goose', '--', 'echo', 'started']);
    expect(back.stdout).not.toBe('');
    expect(back.stderr).toContain('set aside as');
  });

  test('does not hide the exit code of a failed command', async () => {
    const port = await fixedPort();
    const server = await startAt(port);
    const goose = await writeProgram(
      'goose',
      `${TEXT} text('one'); process.stdin.on('data', () => process.exit(3));`,
    );
    const options = [
      '--url',
      server.url,
      '--run',
      'r',
      '--spool',
      await freshFolder(),
      '--flush-timeout',
      '0',
    ];
    const pipe = startRunfeed(['pipe', ...options, '--', goose]);
    await pipe.printed(/one/);
    server.kill('SIGKILL');
    await server.exit;
    pipe.stdin.end('go\n');
    expect(await pipe.exit).toMatchObject({ code: 3, stderr: expect.stringContaining('not delivered') });
  });

  test('pauses the command once the spool is full, and loses nothing', async () => {
    const port = await fixedPort();
    const server = await startAt(port);
    const done = join(await freshFolder(), 'done');
    const goose = await writeProgram(
      'goose',
      `${TEXT} text('a'); process.stdin.once('data', async () => {
         await flood(64);
         require('node:fs').writeFileSync(${JSON.stringify(done)}, 'done'); complete(); process.exit(); });`,
    );
    const options = ['--url', server.url, '--run', 'r', '--spool', await freshFolder(), '--spool-mib', '1'];
    const pipe = startRunfeed(['pipe', ...options, '--', goose]);
    await eventually(async () => textOf((await readRun(server.graphql, 'r'))?.events ?? []) === 'a');
    server.kill('SIGKILL');
    await server.exit;
    pipe.stdin.write('go\n');
    await pipe.printed(SPOOL_FULL);
    await sleep(500);
    await expect(readFile(done)).rejects.toThrow('ENOENT');
    const successor = await startAt(port, server.databaseUrl);
    expect(await pipe.exit).toMatchObject({ code: 0 });
    const run = await readRun(successor.graphql, 'r');
    const pieces = Array.from({ length: 64 }, (_, n) => `${n}${'b'.repeat(65_536)} `);
    expect(textOf(run!.events) === `a${pieces.join('')}`).toBe(true);
  });

  test('does not block forever after the command was stopped while the spool is full', async () => {
    const port = await fixedPort();
    const server = await startAt(port);
    const goose = await writeProgram(
      'goose',
      `${TEXT} text('a'); process.stdin.once('data', () => flood(1_000));`,
    );
    const options = ['--url', server.url, '--run', 'r', '--spool', await freshFolder()];
    const limits = ['--spool-mib', '1', '--flush-timeout', '1'];
    const pipe = startRunfeed(['pipe', ...options, ...limits, '--', goose]);
    await eventually(async () => textOf((await readRun(server.graphql, 'r'))?.events ?? []) === 'a');
    server.kill('SIGKILL');
    await server.exit;
    pipe.stdin.write('go\n');
    await pipe.printed(SPOOL_FULL);
    pipe.kill('SIGTERM');
    const { code, stderr } = await pipe.exit;
    expect(code).toBe(143);
    expect(stderr).toContain('the spool stayed full');
    expect(stderr).toContain('stay in');
  });

  test('at the end is no longer waited for after a second signal', async () => {
    const port = await fixedPort();
    const server = await startAt(port);
    const goose = await writeProgram('goose', `${TEXT} text('a'); setInterval(() => {}, 1000);`);
    const pipe = startRunfeed([
      'pipe',
      '--url',
      server.url,
      '--run',
      'r',
      '--spool',
      await freshFolder(),
      '--',
      goose,
    ]);
    await eventually(async () => textOf((await readRun(server.graphql, 'r'))?.events ?? []) === 'a');
    server.kill('SIGKILL');
    await server.exit;
    let isGone = false;
    pipe.exit.then(() => (isGone = true));
    // While the command runs, a signal is passed on to it.
    while (!isGone) {
      pipe.kill('SIGTERM');
      await sleep(100);
    }
    const { signal, stderr } = await pipe.exit;
    expect(signal).toBe('SIGTERM');
    expect(stderr).toMatch(
      /exiting before all output was passed on and delivered; undelivered events are in /,
    );
  });
});
