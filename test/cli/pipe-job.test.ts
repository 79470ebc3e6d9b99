import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { post } from '../support/request.ts';
import { readRun, textOf } from '../support/run-log.ts';
import { PACKAGE_FOLDER, runRunfeed, type ServeProcess, startServe } from '../support/runfeed-process.ts';
import { freshFolder, GOOSE_COMPLETE, gooseText, writeProgram } from '../support/scripts.ts';

const PROGRAM = join(PACKAGE_FOLDER, 'dist/cli/main.js');

/** Starts a server whose runner `agent` runs this command line, with a secret. */
async function startWithRunner(
  command: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<ServeProcess> {
  const folder = await freshFolder();
  const runner = { substrate: 'process', command, env, secrets: { AGENT_KEY: 'k3y-for-the-agent' } };
  const RUNNERS_FILE = join(folder, 'runners.json');
  await writeFile(RUNNERS_FILE, JSON.stringify({ runners: { agent: runner } }));
  return startServe({ RUNNERS_FILE, JOBS_FOLDER: join(folder, 'jobs') });
}

const START = `mutation ($input: StartJobInput!) {
  startJob(input: $input) { __typename ... on Error { message } }
}`;
const JOB = `{ job(runId: "j") { status exitCode endedAt logs } }`;

async function startJob(server: ServeProcess, payload: object | null): Promise<void> {
  const input = { runId: 'j', provider: 'openai', runner: 'agent', payload };
  const { body } = await post(server.graphql, START, { input });
  expect(body.data?.startJob).toEqual({ __typename: 'StartJobSuccess' });
}

interface Job {
  readonly status: string;
  readonly exitCode: number | null;
  readonly endedAt: string | null;
  readonly logs: string | null;
}

async function jobEnd(server: ServeProcess): Promise<Job> {
  for (;;) {
    const { body } = await post(server.graphql, JOB);
    const job = body.data?.job as Job | undefined;
    if (job?.endedAt) return job;
    await sleep(50);
  }
}

async function contentsOf(path: string): Promise<string> {
  for (;;) {
    const text = await readFile(path, 'utf8').catch(() => '');
    if (text !== '') return text;
    await sleep(20);
  }
}

/** An agent that writes its arguments, environment and payload to the file OUT, and completes. */
const REPORTING = `const { readFileSync, renameSync, statSync, writeFileSync } = require('node:fs');
const file = process.env.RUNFEED_PAYLOAD_FILE;
const told = { argv: process.argv.slice(2), env: process.env,
  payload: file && JSON.parse(readFileSync(file, 'utf8')), mode: file && statSync(file).mode & 0o777 };
writeFileSync(process.env.OUT + '.part', JSON.stringify(told));
renameSync(process.env.OUT + '.part', process.env.OUT);
process.stdout.write(${JSON.stringify(gooseText('at work') + GOOSE_COMPLETE)});`;

describe('runfeed pipe inside a job', () => {
  test('claims the job and starts the command with secrets, prompt and payload, but without tokens', async () => {
    const folder = await freshFolder();
    const OUT = join(folder, 'told');
    const goose = await writeProgram('goose', REPORTING);
    const command = [process.execPath, PROGRAM, 'pipe', '--spool', join(folder, 'spool'), '--', goose];
    const server = await startWithRunner([...command, '--text={prompt}', '--', '{prompt}'], { OUT });
    const payload = { prompt: "--do $& 'it'", more: [1] };
    await startJob(server, payload);
    const told = JSON.parse(await contentsOf(OUT));
    expect(told).toMatchObject({
      argv: [`--text=${payload.prompt}`, '--', payload.prompt],
      env: { AGENT_KEY: 'k3y-for-the-agent', RUNFEED_RUN_ID: 'j' },
      payload,
      mode: 0o600,
    });
    expect(told.env).not.toHaveProperty('RUNFEED_RUNNER_TOKEN');
    expect(await jobEnd(server)).toMatchObject({ status: 'terminated', exitCode: 0 });
    const run = await readRun(server.graphql, 'j');
    expect(textOf(run!.events)).toBe('at work');
    expect(run!.events.at(-1)?.data).toMatchObject({ outcome: 'completed', exitCode: 0 });
    expect(await readdir(join(folder, 'spool'))).toEqual([]);
  });

  test.each([
    [{ task: 'x' }, ['{prompt}'], 'no string field prompt'],
    [{ prompt: '--yolo' }, ['run', '{prompt}'], 'would be read as an option'],
  ])('starts nothing if the payload %j does not fit the arguments %j', async (payload, args, reason) => {
    const folder = await freshFolder();
    const OUT = join(folder, 'told');
    const goose = await writeProgram('goose', REPORTING);
    const command = [process.execPath, PROGRAM, 'pipe', '--spool', folder, '--', goose, ...args];
    const server = await startWithRunner(command, { OUT });
    await startJob(server, payload);
    const job = await jobEnd(server);
    expect(job).toMatchObject({ status: 'failed', exitCode: 1 });
    expect(job.logs).toContain(reason);
    await expect(readFile(OUT)).rejects.toThrow('ENOENT');
  });

  test('stores no secret of the job, payload or environment that the agent prints', async () => {
    const folder = await freshFolder();
    const keys = { TASK: 'sk-of-the-task-0123456789', OWN: 'opensesame-1' };
    const goose = await writeProgram(
      'goose',
      `const keys = [process.env.AGENT_KEY, '${keys.TASK}', process.env.OWN_TOKEN];
       console.error('x'.repeat(5000) + keys[0] + 'y'.repeat(4090) + keys.join(' '));
       console.log('no JSON: ' + Buffer.from(keys.join(' ')).toString('base64').replace(/.{20}/g, '$&\\n'));
       console.log(JSON.stringify({ type: 'unheard-of', text: keys }));`,
    );
    const command = [process.execPath, PROGRAM, 'pipe', '--spool', join(folder, 'spool'), '--', goose];
    const server = await startWithRunner(command, { OWN_TOKEN: keys.OWN });
    await startJob(server, { prompt: `Log in with ${keys.TASK}.` });
    await jobEnd(server);
    const { events } = (await readRun(server.graphql, 'j'))!;
    const texts = JSON.stringify(events);
    expect(texts.match(/\[redacted\]/g)?.length).toBeGreaterThanOrEqual(6);
    expect(events.at(-1)?.data.stderrTail).toMatch(/^y+\[redacted\] \[redacted\] \[redacted\]\n$/);
    expect(events.at(-1)?.data.noise).toMatchObject({
      tail: expect.stringMatching(/^no JSON: (?:\[redacted\]\w?\n?)+$/),
    });
    for (const secret of ['k3y-for-the-agent', keys.TASK, keys.OWN]) expect(texts).not.toContain(secret);
  });

  test('names the argument that is too long for the system', async () => {
    const folder = await freshFolder();
    const command = [process.execPath, PROGRAM, 'pipe', '--spool', folder, '--', '/bin/echo', '{prompt}'];
    const server = await startWithRunner(command, {});
    await startJob(server, { prompt: 'é'.repeat(70_000) });
    const job = await jobEnd(server);
    expect(job).toMatchObject({ status: 'failed', exitCode: 126 });
    const reason =
      /argument 1 has 140000 bytes, but the system allows at most 131071\..* RUNFEED_PAYLOAD_FILE names/;
    expect(job.logs).toMatch(reason);
    expect((await readRun(server.graphql, 'j'))?.events.at(-1)?.data.stderrTail).toMatch(reason);
  });

  test('exits with 79 and starts nothing if the claim is refused', async () => {
    const folder = await freshFolder();
    const OUT = join(folder, 'env');
    // The job's own runner only records its environment; the claims are made below.
    const idle = await writeProgram(
      'idle',
      `require('node:fs').writeFileSync(process.env.OUT + '.part', JSON.stringify(process.env));
       require('node:fs').renameSync(process.env.OUT + '.part', process.env.OUT); setInterval(() => {}, 1000);`,
    );
    const server = await startWithRunner([idle], { OUT });
    await startJob(server, null);
    const given = JSON.parse(await contentsOf(OUT));
    const { RUNFEED_RUN_ID, RUNFEED_API_BASE, RUNFEED_RUNNER_TOKEN } = given;
    const env = { RUNFEED_RUN_ID, RUNFEED_API_BASE, RUNFEED_RUNNER_TOKEN, TMPDIR: folder };
    const pipe = ['pipe', '--runtime', 'goose', '--', 'echo', 'started'];
    expect(await runRunfeed(pipe, env)).toMatchObject({ code: 0, stdout: 'started\n' });
    const second = await runRunfeed(pipe, env);
    expect(second).toMatchObject({ code: 79, stdout: '' });
    expect(second.stderr).toMatch(/^runfeed: the claim was refused \(claim_refused\): \S.*\n$/);
    const stranger = await runRunfeed(pipe, { ...env, RUNFEED_RUNNER_TOKEN: 'n0ne' });
    expect(stranger).toMatchObject({ code: 79, stdout: '' });
    expect(stranger.stderr).not.toContain('n0ne');
    const named = await runRunfeed(['pipe', '--run', 'x', '--', 'true'], env);
    expect(named).toMatchObject({ code: 2, stderr: expect.stringContaining('leave them out') });
    await post(server.graphql, 'mutation { stopJob(input: { runId: "j", graceMs: 0 }) { __typename } }');
    await jobEnd(server);
  });
});
