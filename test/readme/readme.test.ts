import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { freePort } from '../support/ports.ts';

const ROOT = new URL('../..', import.meta.url).pathname;
const read = (file: string) => readFileSync(join(ROOT, file), 'utf8');
const README = read('README.md');

function blocks(text: string, language: string): string[] {
  return [...text.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, 'gms'))].map(
    ([, code]) => code ?? '',
  );
}

const shell = blocks(README, 'sh');
const typescript = blocks(README, 'ts');
const running: ChildProcess[] = [];
let folder: string;
let port: number;
/** The exports of the blocks so far, which a reader's terminal would keep. */
const exported: string[] = [];

/** Runs a block unchanged except for the port, with the exports of the blocks before it. */
function run(
  block: string,
  env: Record<string, string> = {},
): { output: () => string; process: ChildProcess } {
  const script = [...exported, block].join('\n').replaceAll('127.0.0.1:4000', `127.0.0.1:${port}`);
  exported.push(...(block.match(/^export .*$/gm) ?? []));
  // In its own process group: npm leaves the server behind if only its shell is ended.
  const child = spawn('bash', ['-c', script], { cwd: ROOT, env: { ...process.env, ...env }, detached: true });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk));
  running.push(child);
  return { output: () => output, process: child };
}

async function until(condition: () => boolean): Promise<void> {
  for (let tries = 0; !condition(); tries += 1) {
    if (tries > 6_000) throw new Error('the condition did not become true');
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'runfeed-readme-'));
  port = await freePort();
});

afterAll(async () => {
  for (const { pid, exitCode } of running) {
    if (pid && exitCode === null) {
      try {
        process.kill(-pid, 'SIGKILL');
      } catch {
        // The group has already ended.
      }
    }
  }
  await rm(folder, { recursive: true, force: true });
});

test('the first block has two commands, both of existing scripts', () => {
  const scripts = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')).scripts;
  expect(shell[0]).toMatch(/^npm ci && npm run demo\b.*\nnpm ci && npm test\b/);
  expect(scripts).toMatchObject({ demo: expect.any(String), test: expect.any(String) });
});

test('the blocks for three terminals do what the README says, in order', async () => {
  const [, start, follow, append, resume] = shell;
  const server = run(start!, { PORT: String(port), DATABASE_URL: `file:${join(folder, 'runfeed.db')}` });
  await until(() => server.output().includes(`listening on http://127.0.0.1:${port}`));

  const follower = run(follow!);
  await until(() => follower.output().includes(':\n'));
  expect(follower.output()).toContain('"__typename":"CreateRunSuccess"');

  const first = run(append!);
  await once(first.process, 'close');
  expect(first.output()).toContain('"accepted":4,"duplicates":0,"lastSeq":3');
  const again = run(append!);
  await once(again.process, 'close');
  expect(again.output()).toContain('"accepted":0,"duplicates":4,"lastSeq":3');

  await until(() => follower.process.exitCode !== null);
  expect(follower.output().match(/"seq":\d/g)).toEqual(['"seq":0', '"seq":1', '"seq":2', '"seq":3']);
  expect(follower.output()).toContain('event: complete');

  const late = run(resume!);
  await once(late.process, 'close');
  expect(late.output().match(/"seq":\d/g)).toEqual(['"seq":2', '"seq":3']);
  expect(late.output()).toContain('event: complete');
}, 60_000);

test('the command lists the run and prints it', async () => {
  const [command, ...rest] = shell.slice(5);
  expect(rest).toEqual([]);
  const commands = run(command!);
  await once(commands.process, 'close');
  expect(commands.output()).toMatch(/^hello +completed +openai +4 /m);
  expect(commands.output()).toContain('Hello, world!');
  expect(exported).toHaveLength(1);
});

test('the blocks about jobs do what their page says, in order', async () => {
  const [startJob, watch, logs, stop, ...rest] = blocks(read('docs/jobs.md'), 'sh');
  expect(rest).toEqual([]);
  const started = run(startJob!);
  await once(started.process, 'close');
  expect(started.output()).toContain('"status":"queued"');
  const watcher = run(watch!);
  await until(() => watcher.output().includes('"status":"running"'));
  const printed = run(logs!);
  await once(printed.process, 'close');
  expect(printed.output()).toContain('"status":"running","logs":"');
  const stopped = run(stop!);
  await once(stopped.process, 'close');
  expect(stopped.output()).toContain('"status":"stopping"');
  await until(() => watcher.process.exitCode !== null);
  expect(watcher.output()).toContain('"status":"terminated"');
  expect(watcher.output()).toContain('event: complete');
}, 60_000);

test('the TypeScript example runs unchanged', async () => {
  expect(typescript).toHaveLength(1);
  // In the project's folder, where the package's name resolves to the package itself.
  const file = join(ROOT, 'test', 'readme', `.from-readme-${process.pid}.ts`);
  await writeFile(file, typescript[0]!);
  try {
    const program = run(`npx tsx ${file}`);
    await once(program.process, 'close');
    expect(program.output()).toContain('acknowledgedSeq: 1, undelivered: null');
    expect(program.output()).toContain(
      "0 assistant_text\n1 runtime_terminal\nHello! [] { outcome: 'completed' }",
    );
  } finally {
    await rm(file);
  }
}, 60_000);

test('every link leads to an existing file', () => {
  for (const file of ['README.md', ...readdirSync(join(ROOT, 'docs')).map((name) => `docs/${name}`)]) {
    for (const [, target = ''] of read(file).matchAll(/\]\((?!https?:)([^)#]+)/g)) {
      expect(`${file} → ${target} ${existsSync(join(ROOT, dirname(file), target))}`).toContain('true');
    }
  }
});

test('the configuration table has exactly the variables that the server reads', () => {
  const documented = [...read('docs/configuration.md').matchAll(/^\| `([A-Z_]+)` \|/gm)].map(
    ([, name]) => name,
  );
  const source = readFileSync(join(ROOT, 'src', 'config', 'env.ts'), 'utf8');
  const known = [...source.matchAll(/^ {2}([A-Z_]+): [a-z]/gm)].map(([, name]) => name);
  expect(documented.toSorted()).toEqual(known.toSorted());
});
