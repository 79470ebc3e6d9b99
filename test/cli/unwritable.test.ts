import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, constants, existsSync, openSync, readSync, writeSync } from 'node:fs';
import { readdir, readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { freshSqliteUrl } from '../support/databases.ts';
import { freePort } from '../support/ports.ts';
import { releaseAfterwards } from '../support/releases.ts';
import { CREATE_RUN, post } from '../support/request.ts';
import { readRun } from '../support/run-log.ts';
import {
  PACKAGE_FOLDER,
  type RunfeedProcess,
  runRunfeed,
  type ServeProcess,
  startRedirected,
  startServe,
} from '../support/runfeed-process.ts';
import { freshFolder } from '../support/scripts.ts';

const PROGRAM = join(PACKAGE_FOLDER, 'dist/cli/main.js');

/** A pipe with a name. Its writers find a reader until it is closed. */
interface NamedPipe {
  readonly path: string;
  /** Writes until there is no room. */
  fill(): void;
  /** Reads everything that is in the pipe. */
  drain(): string;
  close(): void;
}

async function namedPipe(): Promise<NamedPipe> {
  const path = join(await freshFolder(), 'pipe');
  execFileSync('mkfifo', [path]);
  const fd = openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
  let isOpen = true;
  const close = (): void => {
    if (isOpen) closeSync(fd);
    isOpen = false;
  };
  releaseAfterwards(close);
  const untilEagain = (step: () => void): void => {
    try {
      for (;;) step();
    } catch (error) {
      expect(error).toMatchObject({ code: 'EAGAIN' });
    }
  };
  return {
    path,
    fill: () => {
      for (const size of [4096, 1]) untilEagain(() => writeSync(fd, '.'.repeat(size)));
    },
    drain: () => {
      const bytes = Buffer.alloc(64 * 1024);
      let text = '';
      untilEagain(() => {
        text += bytes.toString('latin1', 0, readSync(fd, bytes));
      });
      return text;
    },
    close,
  };
}

async function startServeInto(
  redirection: string,
  before?: string,
): Promise<RunfeedProcess & { url: string }> {
  const env = { PORT: '0', LOG_LEVEL: 'info', DATABASE_URL: await freshSqliteUrl() };
  const server = startRedirected(redirection, ['serve'], env, before);
  const [, url = ''] = await server.printed(/listening on (\S+)/);
  return { ...server, url };
}

async function answers(url: string, runId: string): Promise<void> {
  const { body } = await post(`${url}/graphql`, CREATE_RUN, { id: runId });
  expect(body.errors).toBeUndefined();
}

describe('a server whose log cannot be written', () => {
  test('works and stops with 0 while the disk is full', async () => {
    const server = await startServeInto('2>/dev/full');
    await answers(server.url, 'r');
    server.kill('SIGTERM');
    expect(await server.exit).toMatchObject({ code: 0 });
  });

  test('works and stops with 0 after the reader of the log has gone', async () => {
    const pipe = await namedPipe();
    const server = await startServeInto(`2>${pipe.path}`);
    pipe.close();
    await answers(server.url, 'r');
    server.kill('SIGTERM');
    expect(await server.exit).toMatchObject({ code: 0 });
  });

  test('works and stops with 0 while nobody reads the full pipe', async () => {
    const pipe = await namedPipe();
    pipe.fill();
    const server = await startServeInto(`2>${pipe.path}`);
    await answers(server.url, 'r');
    server.kill('SIGTERM');
    expect(await server.exit).toMatchObject({ code: 0 });
    expect(pipe.drain()).toMatch(/^\.+$/);
  });

  test('writes the lines that waited once somebody reads the pipe', async () => {
    const pipe = await namedPipe();
    pipe.fill();
    const server = await startServeInto(`2>${pipe.path}`);
    pipe.drain();
    server.kill('SIGTERM');
    expect(await server.exit).toMatchObject({ code: 0 });
    expect(messagesOf(pipe.drain())).toEqual([
      'listening',
      'stopping; a second signal exits immediately',
      'stopped',
    ]);
  });

  test.skipIf(!existsSync('/usr/bin/script'))(
    'works and stops with 0 after its terminal is gone',
    async () => {
      const folder = await freshFolder();
      const [program, code, port] = [join(folder, 'program'), join(folder, 'code'), String(await freePort())];
      // A session of its own does not get the SIGHUP of the terminal.
      await writeFile(
        program,
        `"$0" "$1" serve & echo $! > ${folder}/pid.draft; mv ${folder}/pid.draft ${folder}/pid
       wait $!; echo $? > ${code}.draft; mv ${code}.draft ${code}`,
      );
      const command = `setsid sh -c '. ${program}' ${process.execPath} ${PROGRAM}`;
      const env = {
        PATH: process.env.PATH,
        PORT: port,
        LOG_LEVEL: 'info',
        DATABASE_URL: await freshSqliteUrl(),
      };
      const terminal = spawn('/usr/bin/script', ['-qec', command, '/dev/null'], { env, stdio: 'pipe' });
      releaseAfterwards(() => void terminal.kill('SIGKILL'));
      const pid = Number(await contentOf(join(folder, 'pid')));
      releaseAfterwards(() => kill(pid, 'SIGKILL'));
      const url = `http://127.0.0.1:${port}`;
      while (!(await fetch(`${url}/ready`).catch(() => null))) await sleep(5);
      terminal.kill('SIGKILL');
      await once(terminal, 'exit');
      await answers(url, 'r');
      kill(pid, 'SIGTERM');
      expect(await contentOf(code)).toBe('0\n');
    },
  );

  test('says how many lines were lost once the log can be written again', async () => {
    const log = join(await freshFolder(), 'log');
    // No file may grow beyond 8 MiB, and the log has room for a part of a line only.
    await writeFile(log, '');
    await truncate(log, 8 * 1024 * 1024 - 10);
    const server = await startServeInto(`2>>${log}`, 'ulimit -f 16384');
    await answers(server.url, 'r');
    await truncate(log, 0);
    server.kill('SIGTERM');
    expect(await server.exit).toMatchObject({ code: 0 });
    const text = await readFile(log, 'utf8');
    expect(messagesOf(text)).toEqual([
      'log lines were lost: standard error could not be written',
      'stopping; a second signal exits immediately',
      'stopped',
    ]);
    expect(text).toContain('"lost":1');
  });
});

test('lines for a reader that pauses wait up to a limit, and one line says how many were lost', async () => {
  const program = join(PACKAGE_FOLDER, 'test/cli/children/line-burst.mjs');
  const child = spawn(process.execPath, [program], { stdio: 'pipe' });
  releaseAfterwards(() => void child.kill('SIGKILL'));
  await once(child.stdout, 'data');
  let text = '';
  child.stderr.setEncoding('utf8').on('data', (more: string) => (text += more));
  while (!/^lost \d+$/m.test(text)) await once(child.stderr, 'data');
  child.stdin.end('go on');
  expect(await once(child, 'close')).toEqual([0, null]);
  const lines = text.trimEnd().split('\n');
  const numbers = lines.slice(0, -2).map((line) => Number.parseInt(line, 10));
  expect(numbers).toEqual(numbers.map((_, index) => index));
  expect(numbers.length).toBeGreaterThan(1_000);
  expect(numbers.length).toBeLessThan(2_500);
  expect(lines.slice(-2)).toEqual([`lost ${5_000 - numbers.length}`, 'late']);
});

/** Sends a signal, unless the process has ended. */
function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    expect(error).toMatchObject({ code: 'ESRCH' });
  }
}

/** Waits until a file exists, and returns its content. */
async function contentOf(path: string): Promise<string> {
  while (!existsSync(path)) await sleep(5);
  return readFile(path, 'utf8');
}

/** The messages of a log whose first line may be the end of a torn one. */
function messagesOf(log: string): string[] {
  const lines = log.split('\n').filter(Boolean);
  return lines.map((line) => JSON.parse(line).msg);
}

/** How a command's output is lost: to a full disk, or as its reader goes away. */
const LOSSES = [
  ['a full disk', 1, /^runfeed: cannot write to standard output: ENOSPC.*\n$/],
  ['a reader that is gone', 0, /^$/],
] as const;

async function startInto(
  loss: string,
  fd: 1 | 2,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<RunfeedProcess> {
  if (loss === 'a full disk') return startRedirected(`${fd}>/dev/full`, args, env);
  // The reader leaves after the shell has opened the pipe, and before the program starts.
  const pipe = await namedPipe();
  const gate = await namedPipe();
  const child = startRedirected(`${fd}>&3`, args, env, `exec 3>${pipe.path}; echo > ${gate.path}; read line`);
  for (let text = ''; text === ''; text = gate.drain()) await sleep(5);
  pipe.close();
  child.stdin.write('\n');
  return child;
}

describe('a command whose output cannot be written', () => {
  test.each(LOSSES)('to %s exits with %i if it prints help or the version', async (loss, code, stderr) => {
    for (const args of [['--help'], ['--version'], ['stop', '--help']]) {
      const { exit } = await startInto(loss, 1, args);
      expect(await exit).toMatchObject({ code, stderr: expect.stringMatching(stderr) });
    }
  });

  test.each(LOSSES)('to %s exits with %i if it is a demo, and leaves nothing', async (loss, code, stderr) => {
    const TMPDIR = await freshFolder();
    const demo = await startInto(loss, 1, ['demo', '--exit'], { TMPDIR });
    expect(await demo.exit).toMatchObject({ code, stderr: expect.stringMatching(stderr) });
    expect(await readdir(TMPDIR)).toEqual([]);
  });

  test.each(LOSSES)('to %s goes on if it is a server', async (loss) => {
    const port = String(await freePort());
    const env = { PORT: port, LOG_LEVEL: 'info', DATABASE_URL: await freshSqliteUrl() };
    const server = await startInto(loss, 1, ['serve'], env);
    await server.told(/"listening"/);
    await answers(`http://127.0.0.1:${port}`, 'r');
    server.kill('SIGTERM');
    expect(await server.exit).toMatchObject({ code: 0 });
  });

  test.each(LOSSES)('to %s waits for the end of the job if it is stop', async (loss, code, stderr) => {
    const folder = await freshFolder();
    const RUNNERS_FILE = join(folder, 'runners.json');
    // It has to be killed, so that its stop takes as long as its grace period.
    const command = [process.execPath, '-e', 'process.on("SIGTERM", () => {}); setInterval(() => {}, 1000)'];
    await writeFile(RUNNERS_FILE, JSON.stringify({ runners: { agent: { substrate: 'process', command } } }));
    const server = await startServe({ RUNNERS_FILE, JOBS_FOLDER: join(folder, 'jobs') });
    const { body } = await post(
      server.graphql,
      'mutation { startJob(input: { runId: "j", provider: openai }) { __typename } }',
    );
    expect(body.data).toEqual({ startJob: { __typename: 'StartJobSuccess' } });
    const stop = await startInto(loss, 1, ['stop', 'j', '--grace', '1000', '--url', server.url]);
    const { code: exitCode, stderr: told } = await stop.exit;
    expect({ exitCode, told: told.replace(/^.*the run ends when.*\n/, '') }).toEqual({
      exitCode: code,
      told: expect.stringMatching(stderr),
    });
    const after = await post(server.graphql, '{ job(runId: "j") { endedAt } }');
    expect(after.body.data).toEqual({ job: { endedAt: expect.any(String) } });
  });
});

describe('a command whose messages cannot be written', () => {
  test.each(LOSSES)('to %s still ends the run of its agent if it is pipe', async (loss) => {
    const server: ServeProcess = await startServe();
    const TMPDIR = await freshFolder();
    const args = ['pipe', '--url', server.url, '--', 'sh', '-c', 'echo one; echo two; exit 3'];
    const pipe = await startInto(loss, 2, args, { TMPDIR });
    expect(await pipe.exit).toMatchObject({ code: 3, stdout: 'one\ntwo\n' });
    const { stdout } = await runRunfeed(['runs', '--json', '--url', server.url]);
    const { id } = JSON.parse(stdout) as { readonly id: string };
    expect((await readRun(server.graphql, id))?.events.at(-1)?.kind).toBe('runtime_terminal');
    const [folder = ''] = await readdir(TMPDIR);
    expect(await readdir(join(TMPDIR, folder))).toEqual([]);
  });

  test.each(LOSSES)('to %s keeps its exit code', async (loss) => {
    expect(await (await startInto(loss, 2, ['no-such-command'])).exit).toMatchObject({ code: 2 });
  });
});
