import { mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { RunnerJobHandle } from '../../src/contract/jobs.ts';
import type { NewJob } from '../../src/store/jobs.ts';
import type { Store } from '../../src/store/store.ts';
import { ownerFolder } from '../../src/substrates/job-folders/folders.ts';
import { createProcessSubstrate, processImage } from '../../src/substrates/process/substrate.ts';
import type { Substrate } from '../../src/substrates/substrate.ts';
import { describeStores } from '../support/databases.ts';
import { releaseAfterwards } from '../support/releases.ts';
import { eventually } from '../support/runs.ts';
import { startTestServer } from '../support/server.ts';
import { sweepTwice } from '../support/sweeps.ts';
import { jobSpec, nodeScript } from './executors/specs.ts';

const COMMAND = nodeScript('console.log("at work"); setInterval(() => {}, 1000)');
const COMMANDS = new Map([[processImage('test', COMMAND), COMMAND]]);

function freshFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'runfeed-shared-'));
  releaseAfterwards(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

function openSubstrate(folder: string, owner: string): Substrate {
  const substrate = createProcessSubstrate({
    folder,
    owner,
    commands: COMMANDS,
    environment: { PATH: process.env.PATH },
  });
  releaseAfterwards(async () => {
    for (const { handle } of await substrate.list()) await substrate.remove(handle);
    await substrate.close();
  });
  return substrate;
}

const isRunning = async (substrate: Substrate, handle: RunnerJobHandle) =>
  (await substrate.getStatus(handle)).status === 'running';

describeStores('two servers that share a folder of jobs', ({ open }) => {
  test('can each have a job of the same run, and a sweep leaves the other’s alone', async () => {
    const folder = freshFolder();
    const [one, other] = [await open(), await open()];
    expect(one.id).not.toBe(other.id);
    const first = openSubstrate(folder, one.id);
    const second = openSubstrate(folder, other.id);
    const spec = jobSpec(COMMAND, { runId: 'the-same' });
    const theirs = await second.start({ ...spec, specHash: 'another' });
    const orphan = await first.start(spec);
    await settledJob(one, spec);
    await eventually(async () => (await second.tailLogs?.(theirs, 10)) === 'at work\n');
    expect((await sweepTwice(one, first)).map(({ handle }) => handle)).toEqual([orphan]);
    expect(await isRunning(second, theirs)).toBe(true);
    expect(await second.tailLogs?.(theirs, 10)).toBe('at work\n');
    expect(await first.find(spec)).toEqual([]);
  });
});

describeStores('a sweep', ({ open }) => {
  test('leaves a process alone that the database does not know, as after a restore', async () => {
    const store = await open();
    const substrate = openSubstrate(freshFolder(), store.id);
    const unknown = await substrate.start(jobSpec(COMMAND));
    await eventually(() => isRunning(substrate, unknown));
    expect(await sweepTwice(store, substrate)).toEqual([]);
    expect(await isRunning(substrate, unknown)).toBe(true);
  });

  test('leaves a process alone if the database has settled another job of the same run', async () => {
    const store = await open();
    const substrate = openSubstrate(freshFolder(), store.id);
    const spec = jobSpec(COMMAND);
    const unknown = await substrate.start(spec);
    await settledJob(store, { ...spec, specHash: 'another' });
    expect(await substrate.find({ ...spec, specHash: 'another' })).toEqual([]);
    expect(await sweepTwice(store, substrate)).toEqual([]);
    await eventually(() => isRunning(substrate, unknown));
  });

  test('removes what is left of a settled job', async () => {
    const store = await open();
    const substrate = openSubstrate(freshFolder(), store.id);
    const spec = jobSpec(COMMAND);
    const handle = await substrate.start(spec);
    await settledJob(store, spec);
    expect((await sweepTwice(store, substrate)).map((found) => found.handle)).toEqual([handle]);
    expect(await substrate.find(spec)).toEqual([]);
  });
});

describeStores('a job that an older version started', ({ open }) => {
  /** Moves the jobs to where older versions kept them: next to all others. */
  function asOlderVersion(folder: string, owner: string): void {
    const own = join(folder, ownerFolder(owner));
    for (const name of readdirSync(own)) renameSync(join(own, name), join(folder, name));
  }

  test('is found by handle and by spec, and swept only by the server whose settled job it is', async () => {
    const folder = freshFolder();
    const [mine, foreign] = [await open(), await open()];
    const spec = jobSpec(COMMAND);
    const handle = await openSubstrate(folder, mine.id).start(spec);
    asOlderVersion(folder, mine.id);
    const after = openSubstrate(folder, mine.id);
    const elsewhere = openSubstrate(folder, foreign.id);
    // A start resolves when a shim has taken the job; the command's process comes after that.
    await eventually(() => isRunning(after, handle));
    expect(await after.find(spec)).toEqual([handle]);
    expect(await after.start(spec)).toEqual(handle);
    expect(await elsewhere.find({ ...spec, specHash: 'theirs' })).toEqual([]);
    expect(await sweepTwice(foreign, elsewhere)).toEqual([]);
    expect(await sweepTwice(mine, after)).toEqual([]);
    expect(await isRunning(after, handle)).toBe(true);
    await settledJob(mine, spec);
    expect((await sweepTwice(mine, after)).map((found) => found.handle)).toEqual([handle]);
    expect(await after.find(spec)).toEqual([]);
  });
});

async function settledJob(store: Store, { workspaceId, runId, specHash, image }: ReturnType<typeof jobSpec>) {
  const { run } = await store.createRun({
    workspace: workspaceId,
    id: runId,
    provider: 'openai',
    runtime: 'managed',
    title: null,
    labels: '{}',
    createdAt: Date.now(),
  });
  const job: NewJob = {
    run: run.key,
    substrate: 'process',
    host: null,
    runner: 'test',
    image,
    region: 'local',
    cpus: null,
    memoryMb: null,
    maxRunDurationMs: 1_000,
    specHash,
    payload: null,
  };
  await store.jobs.create(job);
  const read = (await store.jobs.read([run.key])).get(run.key)!.job;
  await store.jobs.save(run.key, read.version, { ...read, status: 'terminated', settledAt: Date.now() });
}

test('two servers with databases in one folder keep their jobs in separate folders', async () => {
  const folder = freshFolder();
  for (const name of ['one.db', 'two.db']) {
    const server = await startTestServer({ DATABASE_URL: `file:${join(folder, name)}` });
    releaseAfterwards(() => server.close());
  }
  const owners = readdirSync(join(folder, 'jobs'));
  expect(owners).toEqual([expect.stringMatching(/^of-/), expect.stringMatching(/^of-/)]);
});
