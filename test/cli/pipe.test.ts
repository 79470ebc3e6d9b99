import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { releaseAfterwards } from '../support/releases.ts';
import { CREATE_RUN, post } from '../support/request.ts';
import { readRun, textOf } from '../support/run-log.ts';
import { PACKAGE_FOLDER, runRunfeed, startRunfeed, startServe } from '../support/runfeed-process.ts';
import { freshFolder, GOOSE_COMPLETE, gooseText, writeProgram } from '../support/scripts.ts';

const print = (text: string): string => `process.stdout.write(${JSON.stringify(text)});`;

const ANSWERS = gooseText('Hello 👩‍🚀') + GOOSE_COMPLETE;

const kindsOf = (run: Awaited<ReturnType<typeof readRun>>) => run?.events.map(({ kind }) => kind);

describe('runfeed pipe runs a command and', () => {
  test('passes its output through unchanged, reports its run, and leaves with its code', async () => {
    const server = await startServe();
    const TMPDIR = await freshFolder();
    const goose = await writeProgram('goose', `${print(ANSWERS)} console.error('a warning');`);
    const args = ['pipe', '--url', server.url, '--run', 'r', '--title', 'A try', '--', goose, 'run'];
    expect(await runRunfeed(args, { TMPDIR })).toEqual({
      code: 0,
      signal: null,
      stdout: ANSWERS,
      stderr: 'a warning\n',
    });
    const run = await readRun(server.graphql, 'r');
    expect(run).toMatchObject({ provider: 'anthropic', runtime: 'managed', title: 'A try', ended: true });
    expect(kindsOf(run)).toEqual(['runtime_started', 'assistant_text', 'runtime_terminal']);
    expect(textOf(run!.events)).toBe('Hello 👩‍🚀');
    expect(run?.events.at(-1)?.data).toMatchObject({
      outcome: 'completed',
      exitCode: 0,
      stderrTail: 'a warning\n',
    });
  });

  test('ends the run as failed when it fails, with its code', async () => {
    const server = await startServe();
    const goose = await writeProgram('goose', `${print(ANSWERS)} process.exitCode = 7;`);
    const env = { RUNFEED_URL: server.graphql, TMPDIR: await freshFolder() };
    expect(await runRunfeed(['pipe', '--run', 'r', '--', goose], env)).toMatchObject({ code: 7 });
    const run = await readRun(server.graphql, 'r');
    expect(run?.events.at(-1)?.data).toMatchObject({ outcome: 'failed', exitCode: 7 });
  });

  test('passes bytes through that are no text, and 8 MB of them to a slow reader', async () => {
    const server = await startServe();
    const bytes = Buffer.concat([randomBytes(8_000_000), Buffer.from(`\n${ANSWERS}`)]);
    const file = join(await freshFolder(), 'bytes');
    await writeFile(file, bytes);
    const TMPDIR = await freshFolder();
    const child = spawn(
      process.execPath,
      [
        join(PACKAGE_FOLDER, 'dist/cli/main.js'),
        'pipe',
        '--run',
        'r',
        '--runtime',
        'goose',
        '--',
        'cat',
        file,
      ],
      {
        env: { PATH: process.env.PATH, RUNFEED_URL: server.url, TMPDIR },
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    );
    releaseAfterwards(() => void child.kill('SIGKILL'));
    const closed = once(child, 'close');
    const hash = createHash('sha256');
    let read = 0;
    for await (const chunk of child.stdout) {
      hash.update(chunk);
      if (read < 100) await sleep(5);
      read += 1;
    }
    expect(hash.digest('hex')).toBe(createHash('sha256').update(bytes).digest('hex'));
    expect(await closed).toEqual([0, null]);
    const run = await readRun(server.graphql, 'r');
    expect(textOf(run!.events)).toBe('Hello 👩‍🚀');
  });

  test.each([
    ['codex', 'openai', `{"type":"thread.started","thread_id":"t"}\n{"type":"turn.completed"}\n`],
    [
      'gemini',
      'gemini',
      `{"type":"init","timestamp":"t"}\n{"type":"result","timestamp":"t","status":"success"}\n`,
    ],
    ['claude', 'anthropic', `{"type":"system","subtype":"init"}\n{"type":"result","subtype":"success"}\n`],
    ['goose', 'anthropic', GOOSE_COMPLETE],
  ])('tells by the name %s what it is and that it is made with %s', async (name, provider, output) => {
    const server = await startServe();
    const program = await writeProgram(name, print(output));
    const env = { RUNFEED_URL: server.url, TMPDIR: await freshFolder() };
    expect(await runRunfeed(['pipe', '--run', 'r', '--', program], env)).toMatchObject({ code: 0 });
    const run = await readRun(server.graphql, 'r');
    expect(run).toMatchObject({ provider, ended: true });
    expect(run?.events[0]?.data.runtime).toBe(name === 'claude' ? 'claude-code' : name);
    expect(run?.events.at(-1)?.data.outcome).toBe('completed');
  });

  test('tells what it is by its lines when its name does not, and uses a run that is there', async () => {
    const server = await startServe();
    await post(server.graphql, CREATE_RUN, { id: 'r' });
    const program = await writeProgram('agent', print(`a banner\n${ANSWERS}`));
    const env = { RUNFEED_URL: server.url, TMPDIR: await freshFolder() };
    expect(await runRunfeed(['pipe', '--run', 'r', '--', program], env)).toMatchObject({ code: 0 });
    const run = await readRun(server.graphql, 'r');
    expect(run).toMatchObject({ provider: 'openai', ended: true });
    expect(run?.events[0]?.data.runtime).toBe('goose');
  });

  test.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)(
    'passes %s on and waits for its end',
    async (signal) => {
      const server = await startServe();
      const goose = await writeProgram(
        'goose',
        `process.on('${signal}', () => { ${print(gooseText('bye'))} process.exitCode = 5; clearInterval(alive); });
       const alive = setInterval(() => {}, 1000); ${print(gooseText('here'))}`,
      );
      const env = { RUNFEED_URL: server.url, TMPDIR: await freshFolder() };
      const child = startRunfeed(['pipe', '--run', 'r', '--', goose], env);
      await child.printed(/here/);
      child.kill(signal);
      expect(await child.exit).toMatchObject({ code: 5, stdout: gooseText('here') + gooseText('bye') });
      expect(textOf((await readRun(server.graphql, 'r'))!.events)).toBe('herebye');
    },
  );

  test('leaves as a shell would say it when a signal ends it', async () => {
    const server = await startServe();
    const goose = await writeProgram('goose', `${print(gooseText('here'))} setInterval(() => {}, 1000);`);
    const env = { RUNFEED_URL: server.url, TMPDIR: await freshFolder() };
    const child = startRunfeed(['pipe', '--run', 'r', '--', goose], env);
    await child.printed(/here/);
    child.kill('SIGTERM');
    expect(await child.exit).toMatchObject({ code: 143 });
    const run = await readRun(server.graphql, 'r');
    expect(run?.events.at(-1)?.data).toMatchObject({ outcome: 'cancelled', signal: 'SIGTERM' });
  });

  test('does not wait for what it left behind', async () => {
    const server = await startServe();
    const goose = await writeProgram(
      'goose',
      `const { spawn } = require('node:child_process');
       const left = spawn('sleep', ['60'], { stdio: ['ignore', 'inherit', 'inherit'], detached: true });
       require('node:fs').writeFileSync(process.argv[2], String(left.pid)); left.unref(); ${print(ANSWERS)}`,
    );
    const pidFile = join(await freshFolder(), 'pid');
    const env = { RUNFEED_URL: server.url, TMPDIR: await freshFolder() };
    const { code } = await runRunfeed(['pipe', '--run', 'r', '--', goose, pidFile], env);
    const pid = Number(await readFile(pidFile, 'utf8'));
    expect(process.kill(pid, 'SIGKILL')).toBe(true);
    expect(code).toBe(0);
    expect((await readRun(server.graphql, 'r'))?.ended).toBe(true);
  });

  test('ends the run when there is no such command, with code 127', async () => {
    const server = await startServe();
    const env = { RUNFEED_URL: server.url, TMPDIR: await freshFolder() };
    const { code, stderr } = await runRunfeed(['pipe', '--run', 'r', '--', 'no-such-agent'], env);
    expect({ code, stderr }).toEqual({
      code: 127,
      stderr: 'runfeed: no-such-agent cannot be started: there is no such command\n',
    });
    const run = await readRun(server.graphql, 'r');
    expect(run?.events.at(-1)?.data).toMatchObject({ outcome: 'failed', exitCode: 127 });
  });

  test('goes on when nobody reads the output any more', async () => {
    const server = await startServe();
    const goose = await writeProgram(
      'goose',
      `${print(gooseText('one'))} process.stdin.on('data', () => { ${print(gooseText('two') + GOOSE_COMPLETE)} process.exit(); });`,
    );
    const env = { RUNFEED_URL: server.url, TMPDIR: await freshFolder() };
    const child = startRunfeed(['pipe', '--run', 'r', '--', goose], env);
    await child.printed(/one/);
    child.hangUp();
    child.stdin.end('go on\n');
    expect(await child.exit).toMatchObject({ code: 0 });
    expect(textOf((await readRun(server.graphql, 'r'))!.events)).toBe('onetwo');
  });
});

describe('runfeed pipe without a command', () => {
  test('reads what one printed, passes it on, and says what the run is called', async () => {
    const server = await startServe();
    const env = { RUNFEED_URL: server.url, TMPDIR: await freshFolder() };
    const child = startRunfeed(['pipe'], env);
    child.stdin.end(ANSWERS);
    const { code, stdout, stderr } = await child.exit;
    expect({ code, stdout }).toEqual({ code: 0, stdout: ANSWERS });
    const [, id = ''] = /^runfeed: the run is (\S+)\n$/.exec(stderr) ?? [];
    expect((await readRun(server.graphql, id))?.events.at(-1)?.data.outcome).toBe('completed');
  });

  test('ends the run as cancelled on a signal, though its input stays open', async () => {
    const server = await startServe();
    const env = { RUNFEED_URL: server.url, TMPDIR: await freshFolder() };
    const child = startRunfeed(['pipe', '--run', 'r', '--runtime', 'goose'], env);
    child.stdin.write(gooseText('here'));
    await child.printed(/here/);
    child.kill('SIGTERM');
    expect(await child.exit).toMatchObject({ code: 143 });
    const run = await readRun(server.graphql, 'r');
    expect(run?.events.at(-1)?.data).toMatchObject({ outcome: 'cancelled', signal: 'SIGTERM' });
  });
});

describe('runfeed pipe starts nothing', () => {
  test('for a run that has ended', async () => {
    const server = await startServe();
    const mark = join(await freshFolder(), 'started');
    const env = { RUNFEED_URL: server.url, TMPDIR: await freshFolder() };
    await runRunfeed(['pipe', '--run', 'r', '--', 'true'], env);
    const { code, stderr } = await runRunfeed(['pipe', '--run', 'r', '--', 'touch', mark], env);
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr: 'runfeed: run r has ended, so nothing was started\n',
    });
    await expect(readFile(mark)).rejects.toThrow('ENOENT');
  });

  test('without a server', async () => {
    const env = { RUNFEED_URL: 'http://127.0.0.1:9', TMPDIR: await freshFolder() };
    const { code, stdout, stderr } = await runRunfeed(['pipe', '--run', 'r', '--', 'echo', 'no'], env);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(/^runfeed: no server answers at http:\/\/127.0.0.1:9\/graphql.*\n$/);
  });

  test.each([
    [['--'], 'after -- comes the command to run'],
    [['--runtime', 'cursor'], '--runtime is one of '],
    [['--provider', 'me'], '--provider is one of '],
    [['--flush-timeout', 'soon'], '--flush-timeout takes a whole number'],
    [['--url', 'ftp://x', '--run', 'r'], 'takes http://HOST:PORT'],
    [['--url', 'http://me:secret@x', '--run', 'r'], 'takes no user or password'],
    [['goose', 'run'], "Unexpected argument 'goose'"],
  ])('when it is called wrongly: %j', async (args, reason) => {
    const { code, stdout, stderr } = await runRunfeed(['pipe', ...args]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain(reason);
    expect(stderr).not.toContain('secret');
  });
});
