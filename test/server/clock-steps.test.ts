import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { FAKETIME, settableClock } from '../support/faketime.ts';
import { post } from '../support/request.ts';
import { startServe } from '../support/runfeed-process.ts';
import { eventsFrom, eventually, ingest, newRun } from '../support/runs.ts';
import { openWebsocket } from '../support/websocket-client.ts';

const START = `mutation ($run: ID!, $runner: String!) {
  startJob(input: { runId: $run, provider: openai, runner: $runner }) { __typename }
}`;
const JOB = 'query ($run: ID!) { job(runId: $run) { status terminalErrorClass } }';

/** Starts a server whose wall clock can be set. Its monotonic clock is not affected. */
async function startClocked() {
  const { folder, set: setClock, environment } = await settableClock();
  const runnersFile = join(folder, 'runners.json');
  const runners = {
    short: { substrate: 'process', command: ['/bin/sleep', '1'] },
    long: { substrate: 'process', command: ['/bin/sleep', '60'], maxRunDurationMs: 1_800_000 },
  };
  await writeFile(runnersFile, JSON.stringify({ runners }));
  const server = await startServe({
    DATABASE_URL: `file:${join(folder, 'db')}`,
    RUNNERS_FILE: runnersFile,
    ...environment,
  });
  const { graphql } = server;
  const job = async (run: string) => {
    const { body } = await post(graphql, JOB, { run });
    return body.data?.job as unknown as {
      readonly status: string;
      readonly terminalErrorClass: string | null;
    };
  };
  const start = (run: string, runner: string) => post(graphql, START, { run, runner });
  onTestFinished(async () => {
    await post(graphql, 'mutation { stopJob(input: { runId: "long", graceMs: 0 }) { __typename } }');
    await eventually(async () => ['terminated', 'failed'].includes((await job('long')).status));
    server.kill('SIGKILL');
    await server.exit;
  });
  const status = (run: string, wanted: string) =>
    eventually(async () => (await job(run)).status === wanted, 30_000);
  return { graphql, setClock, start, job, status };
}

test.skipIf(!FAKETIME)(
  'setting the wall clock back or forward ends no job, hides no end and silences no run',
  { timeout: 120_000 },
  async () => {
    const { graphql, setClock, start, job, status } = await startClocked();
    await start('long', 'long');
    await start('before', 'short');
    await status('long', 'running');
    await newRun(graphql, 'grows');
    const updates = await openWebsocket(graphql);
    updates.subscribe('1', 'subscription { runUpdated(filter: { ended: false }) { id lastSeq } }');
    updates.send({ type: 'ping' });
    const shown = async (lastSeq: number) => {
      const wanted = JSON.stringify({ id: 'grows', lastSeq });
      for (;;) {
        const { payload } = await updates.next();
        if (JSON.stringify((payload as { data?: { runUpdated: unknown } })?.data?.runUpdated) === wanted)
          return;
      }
    };
    await ingest(graphql, 'grows', eventsFrom(0, 1));
    await shown(0);

    await setClock('-600');
    await ingest(graphql, 'grows', eventsFrom(1, 1));
    await shown(1);
    await status('before', 'terminated');

    await setClock('+3600');
    await ingest(graphql, 'grows', eventsFrom(2, 1));
    await shown(2);
    // While this job runs, the long one is checked, too.
    await start('after', 'short');
    await status('after', 'terminated');
    expect(await job('long')).toEqual({ status: 'running', terminalErrorClass: null });
  },
);

test.skipIf(!FAKETIME)(
  'setting the wall clock forward by days takes no rights from a running job',
  { timeout: 90_000 },
  async () => {
    const { folder, set: setClock, environment } = await settableClock();
    const server = await startServe({ DATABASE_URL: `file:${join(folder, 'db')}`, ...environment });
    onTestFinished(async () => {
      server.kill('SIGKILL');
      await server.exit;
    });
    await post(server.graphql, START, { run: 'r', runner: 'demo' });
    const read = async () => {
      const { body } = await post(server.graphql, '{ run(id: "r") { lastSeq terminal { data } } }');
      return body.data?.run as unknown as {
        lastSeq: number | null;
        terminal: { data: unknown } | null;
      } | null;
    };
    await eventually(async () => ((await read())?.lastSeq ?? -1) > 2, 30_000);
    await setClock(`+${20 * 86_400}`);
    await eventually(async () => (await read())?.terminal != null, 60_000);
    expect((await read())?.terminal?.data).toMatchObject({ outcome: 'completed' });
  },
);
