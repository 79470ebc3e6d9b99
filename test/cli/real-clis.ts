// Run by hand, with network access: npm install --prefix FOLDER @openai/codex @google/gemini-cli
// then: npm run build && npx tsx test/cli/real-clis.ts FOLDER/node_modules/.bin
// Runs the real CLIs against scripted models on loopback, through `runfeed pipe`, while a subscriber follows.
// Prints what the subscriber saw, and fails unless each run has a tool call, text and a successful end.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { WebSocket } from 'ws';
import { streamEvents } from '../../src/client/stream/events.ts';
import { createReleasers } from '../../src/lib/releasers.ts';
import { CREATE_RUN, post } from '../support/request.ts';
import { startScriptedModels } from '../support/scripted-models.ts';

const PROGRAM = new URL('../../dist/cli/main.js', import.meta.url).pathname;
const PATIENCE_MS = 120_000;

const bin = resolve(process.argv[2] ?? 'node_modules/.bin');
const releasers = createReleasers();
try {
  const folder = await mkdtemp(join(tmpdir(), 'runfeed-real-'));
  releasers.add(() => rm(folder, { recursive: true, force: true }));
  const workspace = join(folder, 'workspace');
  await mkdir(workspace);
  await writeFile(join(workspace, 'hello.txt'), 'hello\n');
  // With a custom base URL, Gemini takes the key for a gateway's, unless the settings name its type.
  await mkdir(join(folder, '.gemini'));
  const settings = { security: { auth: { selectedType: 'gemini-api-key' } } };
  await writeFile(join(folder, '.gemini/settings.json'), JSON.stringify(settings));
  const models = await startScriptedModels();
  releasers.add(models.close);
  const url = await startServer(join(folder, 'runs.db'));
  const codex = [
    // This model calls its tools one by one; newer models call them from a script.
    ...['-m', 'gpt-5', '-c', 'model_provider=scripted'],
    ...['-c', `model_providers.scripted={name="scripted",base_url="${models.url}/v1",wire_api="responses"}`],
  ];
  const clis = {
    codex: [
      'exec',
      '--json',
      '--skip-git-repo-check',
      '-s',
      'danger-full-access',
      ...codex,
      'list the files',
    ],
    gemini: [
      '-m',
      'gemini-2.5-flash',
      '-o',
      'stream-json',
      '--approval-mode',
      'yolo',
      '-p',
      'list the files',
    ],
  };
  const env = {
    PATH: process.env.PATH,
    HOME: folder,
    RUNFEED_URL: url,
    TMPDIR: folder,
    GEMINI_API_KEY: 'scripted',
    GOOGLE_GEMINI_BASE_URL: models.url,
    GEMINI_CLI_TRUST_WORKSPACE: 'true',
  };
  for (const [name, args] of Object.entries(clis)) {
    await post(`${url}/graphql`, CREATE_RUN, { id: name });
    const seen = follow(name, `${url}/graphql`);
    const command = [PROGRAM, 'pipe', '--run', name, '--', join(bin, name), ...args];
    const child = spawn(process.execPath, command, {
      cwd: workspace,
      env,
      stdio: ['ignore', 'ignore', 'inherit'],
      timeout: PATIENCE_MS,
    });
    const [code] = await once(child, 'exit');
    const kinds = await seen;
    const isWhole =
      code === 0 &&
      ['runtime_started', 'tool_request', 'tool_response', 'assistant_text', 'completed'].every((kind) =>
        kinds.includes(kind),
      );
    console.log(`${name}: exit ${code}, ${isWhole ? 'whole' : 'NOT WHOLE'}`);
    if (!isWhole) process.exitCode = 1;
  }
  console.log(`requests to the models: ${models.asked().join(', ')}`);
} finally {
  await releasers.release();
}

async function startServer(file: string): Promise<string> {
  const env = { PATH: process.env.PATH, PORT: '0', DATABASE_URL: `file:${file}`, LOG_LEVEL: 'warn' };
  const server = spawn(process.execPath, [PROGRAM, 'serve'], { env, stdio: ['ignore', 'pipe', 'inherit'] });
  releasers.add(async () => {
    const gone = once(server, 'exit');
    server.kill('SIGTERM');
    await gone;
  });
  const [first] = await once(server.stdout, 'data');
  return /listening on (\S+)/.exec(String(first))![1]!;
}

/** Prints a run as a subscriber receives it. Returns the kinds of its events, and its outcome. */
async function follow(runId: string, url: string): Promise<string[]> {
  const kinds: string[] = [];
  const signal = AbortSignal.timeout(PATIENCE_MS);
  for await (const { seq, kind, data } of streamEvents(runId, { url, webSocketImpl: WebSocket, signal })) {
    console.log(`  ${runId} ${seq} ${kind} ${JSON.stringify(data).slice(0, 160)}`);
    kinds.push(kind);
    if (kind === 'runtime_terminal') kinds.push(String(data.outcome));
  }
  return kinds;
}
