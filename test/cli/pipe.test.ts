import { spawn, spawnSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import {
  chmod,
  chown,
  mkdir,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { attempt } from '../../src/lib/attempt.ts';
import { releaseAfterwards } from '../support/releases.ts';
import { CREATE_RUN, post } from '../support/request.ts';
import { readRun, textOf } from '../support/run-log.ts';
import {
  PACKAGE_FOLDER,
  runRunfeed,
  type ServeProcess,
  startRunfeed,
  startServe,
} from '../support/runfeed-process.ts';
import { freshFolder, GOOSE_COMPLETE, gooseText, writeProgram } from '../support/scripts.ts';

/** Shared by all tests. Each test has its own run. */
let server: ServeProcess;
let runId = '';
let runs = 0;

beforeAll(async () => {
  server = await startServe();
});
beforeEach(() => {
  runs += 1;
  runId = `r${runs}`;
});

const print = (text: string): string => `process.stdout.write(${JSON.stringify(text)});`;

const ANSWERS = gooseText('Hello 👩‍🚀') + GOOSE_COMPLETE;

/** The name of a run's folder in the spool folder. */
const keyOf = (url: string, runId: string): string =>
  createHash('sha256').update(`${url}\n${runId}`).digest('hex').slice(0, 32);

const kindsOf = (run: Awaited<ReturnType<typeof readRun>>) => run?.events.map(({ kind }) => kind);

describe('runfeed pipe runs a command and', () => {
  test('passes its output through unchanged, reports its run, and exits with its code', async () => {
    const TMPDIR = await freshFolder();
    const goose = await writeProgram('goose', `${print(ANSWERS)} console.error('a warning');`);
    const args = ['pipe', '--url', server.url, '--run', runId, '--title', 'A try', '--', goose, 'run'];
    expect(await runRunfeed(args, { TMPDIR })).toEqual({
      code: 0,
      signal: null,
      stdout: ANSWERS,
      stderr: 'a warning\n',
    });
    const run = await readRun(server.graphql, runId);
    expect(run).toMatchObject({ provider: 'anthropic', runtime: 'managed', title: 'A try', ended: true });
    expect(kindsOf(run)).toEqual(['runtime_started', 'assistant_text', 'runtime_terminal']);
    expect(textOf(run!.events)).toBe('Hello 👩‍🚀');
    expect(run?.events.at(-1)?.data).toMatchObject({
      outcome: 'completed',
      exitCode: 0,
      stderrTail: 'a warning\n',
    });
  });

  test('ends the run as failed if the command fails, with its exit code', async () => {
    const goose = await writeProgram('goose', `${print(ANSWERS)} process.exitCode = 7;`);
    const env = { RUNFEED_URL: server.graphql, TMPDIR: await freshFolder() };
    expect(await runRunfeed(['pipe', '--run', runId, '--', goose], env)).toMatchObject({ code: 7 });
    const run = await readRun(server.graphql, runId);
    expect(run?.events.at(-1)?.data).toMatchObject({ outcome: 'failed', exitCode: 7 });
  });

  test('passes 8 MB of binary data through to a slow reader', async () => {
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
        runId,
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
    const run = await readRun(server.graphql, runId);
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
  ])('detects the runtime from the command name %s, with provider %s', async (name, provider, output) => {
    const program = await writeProgram(name, print(output));
    const env = { RUNFEED_URL: server.url, TMPDIR: await freshFolder() };
    expect(await runRunfeed(['pipe', '--run', runId, '--', program], env)).toMatchObject({ code: 0 });
    const run = await readRun(server.graphql, runId);
    expect(run).toMatchObject({ provider, ended: true });
    expect(run?.events[0]?.data.runtime).toBe(name === 'claude' ? 'claude-code' : name);
    expect(run?.events.at(-1)?.data.outcome).toBe('completed');
  });

  test('detects the runtime from the output if the name is unknown, and uses an existing run', async () => {
    await post(server.graphql, CREATE_RUN, { id: runId });
    const program = await writeProgram('agent', print(`a banner\n${ANSWERS}`));
    const env = { RUNFEED_URL: server.url, TMPDIR: await freshFolder() };
    expect(await runRunfeed(['pipe', '--run', runId, '--', program], env)).toMatchObject({ code: 0 });
    const run = await readRun(server.graphql, runId);
    expect(run).toMatchObject({ provider: 'openai', ended: true });
    expect(run?.events[0]?.data.runtime).toBe('goose');
  });

  test.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)(
    'passes %s on and waits for the command to end',
    async (signal) => {
      const goose = await writeProgram(
        'goose',
        `process.on('${signal}', () => { ${print(gooseText('bye'))} process.exitCode = 5; clearInterval(alive); });
       const alive = setInterval(() => {}, 1000); ${print(gooseText('here'))}`,
      );
      const env = { RUNFEED_URL: server.url, TMPDIR: await freshFolder() };
      const child = startRunfeed(['pipe', '--run', runId, '--', goose], env);
      await child.printed(/here/);
      child.kill(signal);
      expect(await child.exit).toMatchObject({ code: 5, stdout: gooseText('here') + gooseText('bye') });
      expect(textOf((await readRun(server.graphql, runId))!.events)).toBe('herebye');
    },
  );

  test('exits like a shell when a signal ends the command', async () => {
    const goose = await writeProgram('goose', `${print(gooseText('here'))} setInterval(() => {}, 1000);`);
    const env = { RUNFEED_URL: server.url, TMPDIR: await freshFolder() };
    const child = startRunfeed(['pipe', '--run', runId, '--', goose], env);
    await child.printed(/here/);
    child.kill('SIGTERM');
    expect(await child.exit).toMatchObject({ code: 143 });
    const run = await readRun(server.graphql, runId);
    expect(run?.events.at(-1)?.data).toMatchObject({ outcome: 'cancelled', signal: 'SIGTERM' });
  });

  test.each([
    ['are silent', 'sleep 60'],
    ['print to standard error now and then', 'while :; do echo still here >&2; sleep 0.2; done'],
    ['print without an end', 'yes'],
  ])('does not wait for processes that the command left behind and that %s', async (_, left) => {
    const goose = await writeProgram(
      'goose',
      `const { spawn } = require('node:child_process');
       const left = spawn('sh', ['-c', ${JSON.stringify(left)}], { stdio: ['ignore', 'inherit', 'inherit'], detached: true });
       require('node:fs').writeFileSync(process.argv[2], String(left.pid)); left.unref(); ${print(ANSWERS)}`,
    );
    const pidFile = join(await freshFolder(), 'pid');
    const env = { RUNFEED_URL: server.url, TMPDIR: await freshFolder() };
    const { code } = await runRunfeed(['pipe', '--run', runId, '--', goose, pidFile], env);
    const pid = Number(await readFile(pidFile, 'utf8'));
    // Its group: the shell and what it started. It may have ended with the pipe.
    attempt(() => process.kill(-pid, 'SIGKILL'));
    expect(code).toBe(0);
    expect((await readRun(server.graphql, runId))?.ended).toBe(true);
  });

  test('ends the run and exits with 127 if the command does not exist', async () => {
    const env = { RUNFEED_URL: server.url, TMPDIR: await freshFolder() };
    const { code, stderr } = await runRunfeed(['pipe', '--run', runId, '--', 'no-such-agent'], env);
    expect({ code, stderr }).toEqual({
      code: 127,
      stderr: 'runfeed: cannot start no-such-agent: command not found\n',
    });
    const run = await readRun(server.graphql, runId);
    expect(run?.events.at(-1)?.data).toMatchObject({ outcome: 'failed', exitCode: 127 });
  });

  test.skipIf(!existsSync('/dev/full'))(
    'says that its output cannot be written, and goes on with the run',
    async () => {
      const script = `"$0" "$1" pipe --run ${runId} -- node -e 'process.stdout.write(process.argv[1])' "$2" > /dev/full`;
      const child = spawnSync(
        '/bin/sh',
        ['-c', script, process.execPath, join(PACKAGE_FOLDER, 'dist/cli/main.js'), ANSWERS],
        {
          env: { PATH: process.env.PATH, RUNFEED_URL: server.url },
          encoding: 'utf8',
        },
      );
      expect(child.status).toBe(74);
      expect(child.stderr).toContain('cannot write to standard output: ENOSPC');
      expect(kindsOf(await readRun(server.graphql, runId))?.at(-1)).toBe('runtime_terminal');
    },
  );

  test('keeps the command running when the reader of the output is gone', async () => {
    const goose = await writeProgram(
      'goose',
      `${print(gooseText('one'))} process.stdin.on('data', () => { ${print(gooseText('two') + GOOSE_COMPLETE)} process.exit(); });`,
    );
    const env = { RUNFEED_URL: server.url, TMPDIR: await freshFolder() };
    const child = startRunfeed(['pipe', '--run', runId, '--', goose], env);
    await child.printed(/one/);
    child.hangUp();
    child.stdin.end('go on\n');
    expect(await child.exit).toMatchObject({ code: 0 });
    expect(textOf((await readRun(server.graphql, runId))!.events)).toBe('onetwo');
  });
});

test('runfeed pipe says how to name the runtime if the output format is not recognized', async () => {
  const TMPDIR = await freshFolder();
  const args = ['pipe', '--url', server.url, '--run', runId, '--', 'echo', 'hi'];
  expect(await runRunfeed(args, { TMPDIR })).toEqual({
    code: 0,
    signal: null,
    stdout: 'hi\n',
    stderr: expect.stringMatching(
      /^runfeed: unrecognized output format, so run r\d+ is stored as failed: .*--runtime with one of .*goose.*\n$/,
    ),
  });
});

describe('runfeed pipe without a command', () => {
  test('reads the output of a command, passes it on, and prints the id of the created run', async () => {
    const env = { RUNFEED_URL: server.url, TMPDIR: await freshFolder() };
    const child = startRunfeed(['pipe'], env);
    child.stdin.end(ANSWERS);
    const { code, stdout, stderr } = await child.exit;
    expect({ code, stdout }).toEqual({ code: 0, stdout: ANSWERS });
    const [, id = ''] = /^runfeed: created run (\S+)\n$/.exec(stderr) ?? [];
    expect((await readRun(server.graphql, id))?.events.at(-1)?.data.outcome).toBe('completed');
  });

  test('ends the run as cancelled on a signal, even if its input stays open', async () => {
    const env = { RUNFEED_URL: server.url, TMPDIR: await freshFolder() };
    const child = startRunfeed(['pipe', '--run', runId, '--runtime', 'goose'], env);
    child.stdin.write(gooseText('here'));
    await child.printed(/here/);
    child.kill('SIGTERM');
    expect(await child.exit).toMatchObject({ code: 143 });
    const run = await readRun(server.graphql, runId);
    expect(run?.events.at(-1)?.data).toMatchObject({ outcome: 'cancelled', signal: 'SIGTERM' });
  });
});

describe('the spool folder of runfeed pipe', () => {
  test('is private: a link, a folder open to others, or a folder of another user is refused', async () => {
    const spool = await freshFolder();
    const folder = join(spool, keyOf(server.graphql, runId));
    const args = ['pipe', '--url', server.url, '--run', runId, '--spool', spool, '--', 'echo', 'started'];
    const refused = {
      code: 1,
      stdout: '',
      stderr: expect.stringMatching(
        /^runfeed: \S+ is not a folder that only this user can access .*--spool\n$/,
      ),
    };
    await mkdir(folder, { mode: 0o777 });
    await chmod(folder, 0o777);
    await writeFile(
      join(folder, '000000000000.ndjson'),
      '{"seq":0,"tMs":1,"kind":"assistant_text","data":{"text":"forged"}}\n',
    );
    expect(await runRunfeed(args)).toMatchObject(refused);
    await rename(folder, `${folder}-private`);
    await chmod(`${folder}-private`, 0o700);
    await symlink(`${folder}-private`, folder);
    expect(await runRunfeed(args)).toMatchObject(refused);
    if (process.getuid?.() === 0) {
      await rm(folder);
      await rename(`${folder}-private`, folder);
      await chown(folder, 12_345, 12_345);
      expect(await runRunfeed(args)).toMatchObject(refused);
    }
    expect((await readRun(server.graphql, runId))?.events).toEqual([]);
  });

  test('is in the temporary folder by default, under another name if the first one is taken', async () => {
    const TMPDIR = await freshFolder();
    const parent = join(TMPDIR, `runfeed-pipe-${process.getuid?.()}`);
    await writeFile(parent, 'not a folder');
    await mkdir(`${parent}-1`);
    await chmod(`${parent}-1`, 0o777);
    const args = ['pipe', '--url', server.url, '--run', runId, '--', 'echo', 'started'];
    expect(await runRunfeed(args, { TMPDIR })).toMatchObject({ code: 0, stdout: 'started\n' });
    expect((await stat(`${parent}-1`)).mode & 0o777).toBe(0o700);
  });

  test('is created before the run, which nothing would end after a failure', async () => {
    const TMPDIR = join(await freshFolder(), 'missing');
    const runs = async () => {
      const { body } = await post(server.graphql, '{ runs(first: 100) { nodes { id } } }');
      return (body.data as unknown as { runs: { nodes: readonly unknown[] } }).runs.nodes.length;
    };
    const before = await runs();
    const { code, stderr } = await runRunfeed(['pipe', '--url', server.url, '--', 'echo', 'no'], { TMPDIR });
    expect(code).toBe(1);
    expect(stderr).toMatch(/^runfeed: the folder for undelivered events: ENOENT.*\n$/);
    expect(await runs()).toBe(before);
  });

  test('may be damaged by a power failure: the damaged file is set aside, and the command starts', async () => {
    const spool = await freshFolder();
    const folder = join(spool, keyOf(server.graphql, runId));
    await mkdir(folder, { mode: 0o700 });
    const kept = '{"seq":0,"tMs":1,"kind":"assistant_text","data":{"text":"kept, "}}\n';
    await writeFile(
      join(folder, '000000000000.ndjson'),
      Buffer.concat([Buffer.from(kept), Buffer.alloc(99), Buffer.from('\n')]),
    );
    const goose = await writeProgram('goose', print(ANSWERS));
    const args = ['pipe', '--url', server.url, '--run', runId, '--spool', spool, '--', goose];
    const { code, stderr } = await runRunfeed(args);
    expect(code).toBe(0);
    expect(stderr).toMatch(
      /^runfeed: \S+0\.ndjson is damaged at line 2 and set aside as \S+\.damaged; .*\n$/,
    );
    const run = await readRun(server.graphql, runId);
    expect(textOf(run!.events)).toBe('kept, Hello 👩‍🚀');
    expect(await readdir(folder)).toEqual(['000000000000.ndjson.damaged']);
  });
});

describe('runfeed pipe starts nothing', () => {
  test('for a run that has ended', async () => {
    const mark = join(await freshFolder(), 'started');
    const env = { RUNFEED_URL: server.url, TMPDIR: await freshFolder() };
    await runRunfeed(['pipe', '--run', runId, '--', 'true'], env);
    const { code, stderr } = await runRunfeed(['pipe', '--run', runId, '--', 'touch', mark], env);
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr: `runfeed: run ${runId} has ended, so nothing was started: pass another id with --run\n`,
    });
    await expect(readFile(mark)).rejects.toThrow('ENOENT');
  });

  test('without a server', async () => {
    const env = { RUNFEED_URL: 'http://127.0.0.1:9', TMPDIR: await freshFolder() };
    const { code, stdout, stderr } = await runRunfeed(['pipe', '--run', runId, '--', 'echo', 'no'], env);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(/^runfeed: cannot reach http:\/\/127.0.0.1:9\/graphql: [^,]*\n$/);
  });

  test.each([
    [['--'], '-- must be followed by the command to run'],
    [['--runtime', 'cursor'], '--runtime must be one of '],
    [['--provider', 'me'], '--provider must be one of '],
    [['--flush-timeout', 'soon'], '--flush-timeout takes a whole number'],
    [['--url', 'ftp://x', '--run', 'r'], 'must be http://HOST:PORT'],
    [['--url', 'http://me:secret@x', '--run', 'r'], 'must not contain a user or password'],
    [['goose', 'run'], "Unexpected argument 'goose'"],
  ])('with invalid arguments: %j', async (args, reason) => {
    const { code, stdout, stderr } = await runRunfeed(['pipe', ...args]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain(reason);
    expect(stderr).not.toContain('secret');
  });
});
