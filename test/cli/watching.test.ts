import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { RunnerEvent } from '../../src/contract/events.ts';
import { releaseAfterwards } from '../support/releases.ts';
import { CREATE_RUN, INGEST, post } from '../support/request.ts';
import {
  PACKAGE_FOLDER,
  runRunfeed,
  type ServeProcess,
  startRunfeed,
  startServe,
} from '../support/runfeed-process.ts';
import { freshFolder } from '../support/scripts.ts';

/** Shared by all tests that need no server of their own. Each test has its own run. */
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

const events: readonly RunnerEvent[] = [
  { seq: 0, tMs: 1_000, kind: 'runtime_started', data: { runtime: 'goose', model: 'm-1' } },
  { seq: 1, tMs: 1_100, kind: 'assistant_text', data: { text: 'Let me ' } },
  { seq: 2, tMs: 1_200, kind: 'assistant_text', data: { text: 'look.\u001b[2J' } },
  {
    seq: 3,
    tMs: 1_300,
    kind: 'tool_request',
    data: { toolId: 't', name: 'shell', input: { command: 'ls' } },
  },
  {
    seq: 4,
    tMs: 3_800,
    kind: 'tool_response',
    data: { toolId: 't', name: 'shell', output: [{ type: 'text', text: 'a.txt\nb.txt' }], isError: false },
  },
  { seq: 5, tMs: 3_900, kind: 'stream_error', data: { message: 'slow down' } },
  { seq: 6, tMs: 4_000, kind: 'runtime_terminal', data: { outcome: 'failed', reason: 'exit_code' } },
];

const HUMAN = `● started goose m-1
Let me look.[2J
▶ shell ls
◀ shell 2.5s a.txt b.txt
! slow down
■ failed exit_code, 3.0s
`;

async function send(batch: readonly RunnerEvent[], { graphql } = server): Promise<void> {
  const { body } = await post(graphql, INGEST, { b: { v: 1, runId, events: batch } });
  expect(body.data?.ingestEvents).toMatchObject({ __typename: 'IngestEventsSuccess' });
}

describe('runfeed tail', () => {
  test('prints events as they arrive, without colors off a terminal, and exits with 0 at the end of the run', async () => {
    await post(server.graphql, CREATE_RUN, { id: runId });
    await send(events.slice(0, 2));
    const tail = startRunfeed(['tail', runId, '--url', server.url]);
    await tail.printed(/Let me $/);
    await send(events.slice(2));
    expect(await tail.exit).toMatchObject({ code: 0, stdout: HUMAN, stderr: '' });
  });

  test('with --json prints the events after a number, one per line', async () => {
    await post(server.graphql, CREATE_RUN, { id: runId });
    await send(events);
    const { code, stdout } = await runRunfeed(['tail', '--json', '--after', '3', runId, '--url', server.url]);
    expect(code).toBe(0);
    const lines = stdout.trimEnd().split('\n');
    expect(lines.map((line) => JSON.parse(line))).toMatchObject(events.slice(4));
  });

  test.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('exits on %s with %i', async (signal, code) => {
    await post(server.graphql, CREATE_RUN, { id: runId });
    await send(events.slice(0, 2));
    const tail = startRunfeed(['tail', runId], { RUNFEED_URL: server.url });
    await tail.printed(/Let me /);
    tail.kill(signal);
    expect(await tail.exit).toMatchObject({ code, stderr: '' });
  });

  test('exits immediately on a signal when the reader of its output has stopped reading', async () => {
    await post(server.graphql, CREATE_RUN, { id: runId });
    await send([{ seq: 0, tMs: 0, kind: 'assistant_text', data: { text: 'x'.repeat(4_000_000) } }]);
    const child = spawn(process.execPath, [join(PACKAGE_FOLDER, 'dist/cli/main.js'), 'tail', runId], {
      env: { PATH: process.env.PATH, RUNFEED_URL: server.url },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    releaseAfterwards(() => void child.kill('SIGKILL'));
    await once(child.stdout, 'readable');
    child.kill('SIGINT');
    expect(await once(child, 'exit')).toEqual([null, 'SIGINT']);
  });

  test('exits with 0 when the reader of its output is gone', async () => {
    await post(server.graphql, CREATE_RUN, { id: runId });
    await send(events.slice(0, 2));
    const tail = startRunfeed(['tail', runId], { RUNFEED_URL: server.url });
    await tail.printed(/Let me /);
    tail.hangUp();
    await send(events.slice(2, 4));
    expect(await tail.exit).toMatchObject({ code: 0, stderr: '' });
  });
});

describe('runfeed runs', () => {
  test('lists the newest runs with their status', async () => {
    const server = await startServe();
    const nothing = await runRunfeed(['runs', '--url', server.url]);
    expect(nothing).toMatchObject({ code: 0, stdout: 'RUN  STATUS  PROVIDER  EVENTS  AGE  TITLE\n' });
    for (const id of ['old', runId]) await post(server.graphql, CREATE_RUN, { id });
    await send(events, server);
    const { stdout } = await runRunfeed(['runs', '--url', server.url]);
    const rows = stdout
      .trimEnd()
      .split('\n')
      .map((line) => line.split(/ {2,}/).slice(0, 4));
    expect(rows).toEqual([
      ['RUN', 'STATUS', 'PROVIDER', 'EVENTS'],
      [runId, 'failed', 'openai', '7'],
      ['old', 'new', 'openai', '0'],
    ]);
    const one = await runRunfeed(['runs', '--json', '--limit', '1', '--url', server.url]);
    expect(JSON.parse(one.stdout)).toMatchObject({ id: runId, eventCount: 7 });
  });
});

describe('runfeed stop and logs', () => {
  test('stop a job, print its status until it ends, and print its output', async () => {
    const folder = await freshFolder();
    const RUNNERS_FILE = join(folder, 'runners.json');
    const command = [process.execPath, '-e', 'console.log("at work"); setInterval(() => {}, 1000)'];
    await writeFile(RUNNERS_FILE, JSON.stringify({ runners: { agent: { substrate: 'process', command } } }));
    const server = await startServe({ RUNNERS_FILE, JOBS_FOLDER: join(folder, 'jobs') });
    await post(
      server.graphql,
      'mutation { startJob(input: { runId: "j", provider: openai }) { __typename } }',
    );
    const env = { RUNFEED_URL: server.url };
    for (;;) {
      const { code, stdout } = await runRunfeed(['logs', 'j', '--lines', '5'], env);
      expect(code).toBe(0);
      if (stdout === 'at work\n') break;
      expect(stdout).toBe('');
    }
    const stopped = await runRunfeed(['stop', 'j', '--grace', '5000'], env);
    expect(stopped.code).toBe(0);
    // The run may have ended already on a slow machine.
    expect(['', 'runfeed: the run ends when no event of the stopped agent has arrived for 5 s\n']).toContain(
      stopped.stderr,
    );
    expect(stopped.stdout).toMatch(/^stopping\nterminated.*\n$/);
    const again = await runRunfeed(['stop', 'j', '--no-wait'], env);
    expect(again).toMatchObject({ code: 0, stdout: expect.stringMatching(/^terminated/) });
  });
});

describe('commands that query a server', () => {
  test.each([
    [['tail', 'nobody'], 'run nobody not found'],
    [['logs', 'nobody'], 'run nobody not found\n'],
    [['stop', 'nobody'], 'run nobody not found\n'],
    [['logs', 'jobless'], 'run jobless has no job'],
    [['stop', 'jobless'], 'run jobless has no job to stop'],
  ])('%j names what is missing and exits with 1', async (args, reason) => {
    await post(server.graphql, CREATE_RUN, { id: 'jobless' });
    const { code, stdout, stderr } = await runRunfeed(args, { RUNFEED_URL: server.url });
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toContain(`runfeed: ${reason}`);
  });

  test.each([['tail', 'r'], ['runs'], ['logs', 'r'], ['stop', 'r']])(
    '%s %s names the server that does not answer',
    async (...args) => {
      const { code, stderr } = await runRunfeed([...args, '--url', 'http://127.0.0.1:9'].filter(Boolean));
      expect(code).toBe(1);
      expect(stderr).toMatch(/^runfeed: cannot reach http:\/\/127.0.0.1:9\/graphql: bad port\n$/);
    },
  );

  test.each([
    [['tail'], 'tail takes one argument'],
    [['tail', 'r', '--after', '-2'], '--after takes a whole number from -1'],
    [['tail', 'r', '--after', '--url'], "Option '--after' argument is ambiguous: see"],
    [['runs', '--limit', '101'], '--limit takes a whole number from 1 to 100'],
    [['stop', 'a', 'b'], 'stop takes one argument'],
    [['logs', 'r', '--lines', '0'], '--lines takes a whole number'],
  ])('%j is refused, exit code 2', async (args, reason) => {
    const { code, stdout, stderr } = await runRunfeed(args);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain(reason);
  });
});
