import { execFileSync } from 'node:child_process';
import {
  appendFile,
  type FileHandle,
  mkdir,
  mkdtemp,
  open,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { openFileSpool, type SpoolDamage } from '../../src/client/file-spool.ts';
import { createReporter } from '../../src/client/report/reporter.ts';
import type { SpooledEvent } from '../../src/client/report/spool.ts';
import { startRestartableServer } from '../proofs/restartable-server.ts';
import { atSize, PROOF_SIZE, PROOF_TIMEOUT_MS } from '../proofs/size.ts';
import { startChild } from '../store/children/start.ts';
import { freshSqliteUrl } from '../support/databases.ts';
import { releaseAfterwards } from '../support/releases.ts';
import { eventually, newRun } from '../support/runs.ts';
import { readLog } from './logs.ts';

const LIVES = Math.max(2, atSize(2));
const OUTAGE_MS = PROOF_SIZE > 1 ? atSize(10_000) : 500;

async function freshFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'runfeed-spool-'));
  releaseAfterwards(() => rm(folder, { recursive: true, force: true }));
  return join(folder, 'spool');
}

const event = (seq: number): SpooledEvent => ({
  seq,
  json: `{"seq":${seq},"tMs":${seq},"kind":"assistant_text","data":{"text":"é\\ud800"}}`,
});
const from = (first: number, count: number) =>
  Array.from({ length: count }, (_, index) => event(first + index));

/** Watches this process's calls of fdatasync. Returns the size of the file at the beginning of the last one. */
async function watchSyncs(path: string): Promise<() => number> {
  const handle = await open(path);
  const handles: FileHandle = Object.getPrototypeOf(handle);
  await handle.close();
  const { datasync } = handles;
  let synced = 0;
  handles.datasync = async function () {
    synced = (await this.stat()).size;
    return datasync.call(this);
  };
  releaseAfterwards(() => {
    handles.datasync = datasync;
  });
  return () => synced;
}

describe('a file spool', () => {
  test('goes on if a file whose events are delivered has already been removed', async () => {
    const folder = await freshFolder();
    const spool = await openFileSpool(folder, { fileCharacters: 1 });
    for (const each of from(0, 3)) await spool.append(each);
    const first = await spool.take(1, 1_000);
    const rest = await spool.take(2, 1_000);
    const [oldest = ''] = (await readdir(folder)).sort();
    await rm(join(folder, oldest));
    await spool.release(first);
    for (const each of await readdir(folder)) await rm(join(folder, each));
    await spool.release(rest);
    await spool.close();
    expect(await readdir(folder)).toEqual([]);
  });

  test('returns appended events in order, and unreleased ones again after a reopen', async () => {
    const folder = await freshFolder();
    const options = { fileCharacters: 300 };
    const first = await openFileSpool(folder, options);
    expect([first.last(), first.waiting(), first.held()]).toEqual([null, 0, { characters: 0, range: null }]);
    for (const each of from(0, 20)) await first.append(each);
    for (const [seq, count] of [
      [0, 4],
      [4, 1],
      [5, 3],
    ] as const) {
      const taken = await first.take(count, 1_000_000);
      expect(taken).toEqual(from(seq, count));
      await first.release(taken);
    }
    expect(await first.take(100, 1)).toEqual(from(8, 1));
    await first.append(event(20));
    expect(await first.take(100, 1_000_000)).not.toEqual([]);
    expect(first.held().range).toEqual({ fromSeq: 8, toSeq: 20 });
    await first.close();

    const second = await openFileSpool(folder, options);
    expect(second.last()).toEqual(event(20));
    const { range } = second.held();
    expect(range!.fromSeq).toBeLessThanOrEqual(8);
    expect(range!.fromSeq).toBeGreaterThan(0);
    await second.append(event(21));
    const rest: SpooledEvent[] = [];
    for (
      let some = await second.take(3, 1_000_000);
      some.length > 0;
      some = await second.take(3, 1_000_000)
    ) {
      rest.push(...some);
      await second.release(some);
    }
    expect(rest).toEqual(from(range!.fromSeq, 22 - range!.fromSeq));
    await second.append(event(22));
    expect(await second.take(3, 1_000_000)).toEqual([event(22)]);
    await second.release([event(22)]);
    await second.close();
    expect(await readdir(folder)).toEqual([]);
  });

  test('removes files as their events are released', async () => {
    const folder = await freshFolder();
    const spool = await openFileSpool(folder, { fileCharacters: 300 });
    for (let seq = 0; seq < 500; seq += 1) {
      await spool.append(event(seq));
      await spool.release(await spool.take(10, 1_000_000));
    }
    const sizes = await Promise.all((await readdir(folder)).map((name) => stat(join(folder, name))));
    expect(sizes.reduce((sum, { size }) => sum + size, 0)).toBeLessThan(1_000);
    await spool.close();
  });

  test('ignores half a line at the end, and names a file that is not a spool file', async () => {
    const folder = await freshFolder();
    const spool = await openFileSpool(folder);
    for (const each of from(0, 3)) await spool.append(each);
    await spool.close();
    const [name] = await readdir(folder);
    await appendFile(join(folder, name!), event(3).json.slice(0, 20));
    const again = await openFileSpool(folder);
    expect([again.last(), again.waiting()]).toEqual([event(2), 3]);
    await again.append(event(3));
    expect(await again.take(10, 1_000_000)).toEqual(from(0, 3));
    expect(await again.take(10, 1_000_000)).toEqual(from(3, 1));
    await again.close();
    await writeFile(join(folder, name!), '"something else"\n');
    await expect(openFileSpool(folder)).rejects.toThrow(`${name} is not a spool file`);
  });

  test.each([
    ['zeros', Buffer.concat([Buffer.alloc(512), Buffer.from('\n')])],
    ['invalid JSON', '{"seq":2,\n'],
    ['a number that does not follow', `${event(7).json}\n`, 'line 3, where event 4 is missing'],
    ['something else', '"x"\n'],
  ])(
    'sets a damaged file and all later ones aside, and keeps the events before: %s',
    async (_, damage, place = 'line 3') => {
      const folder = await freshFolder();
      const first = await openFileSpool(folder, { fileCharacters: 120 });
      for (const each of from(0, 6)) await first.append(each);
      await first.close();
      const names = (await readdir(folder)).sort();
      expect(names).toHaveLength(3);
      const whole = await readFile(join(folder, names[1]!));
      await writeFile(join(folder, names[1]!), Buffer.concat([whole, Buffer.from(damage), whole]));

      const told: SpoolDamage[] = [];
      const again = await openFileSpool(folder, { onDamaged: (each) => told.push(each) });
      const file = join(folder, names[1]!);
      expect(told).toEqual([{ file, place, setAside: `${file}.damaged` }]);
      expect([again.last(), again.waiting()]).toEqual([event(3), 4]);
      await again.append(event(4));
      const taken = [
        ...(await again.take(2, 1_000)),
        ...(await again.take(9, 1_000)),
        ...(await again.take(9, 1_000)),
      ];
      expect(taken).toEqual(from(0, 5));
      await again.release(taken);
      await again.close();
      expect((await readdir(folder)).sort()).toEqual([`${names[1]}.damaged`, `${names[2]}.damaged`]);
      expect(await readFile(`${file}.damaged`)).toEqual(Buffer.concat([whole, Buffer.from(damage), whole]));
      await (await openFileSpool(folder)).close();
    },
  );

  test.each([
    ['its end', (path: string, text: string) => writeFile(path, text.slice(0, -20))],
    ['its file', (path: string) => rm(path)],
  ])('sets aside what follows events that are lost with %s', async (_, damage) => {
    const folder = await freshFolder();
    const first = await openFileSpool(folder, { fileCharacters: 120 });
    for (const each of from(0, 8)) await first.append(each);
    await first.close();
    const names = (await readdir(folder)).sort();
    expect(names).toHaveLength(4);
    const path = join(folder, names[1]!);
    await damage(path, await readFile(path, 'utf8'));

    const told: SpoolDamage[] = [];
    const again = await openFileSpool(folder, { onDamaged: (each) => told.push(each) });
    const next = (again.last()?.seq ?? -1) + 1;
    const file = join(folder, names[2]!);
    const place = `line 1, where event ${next} is missing`;
    expect(told).toEqual([{ file, place, setAside: `${file}.damaged` }]);
    expect(next).toBeLessThan(4);
    expect([again.waiting(), again.held().range]).toEqual([next, { fromSeq: 0, toSeq: next - 1 }]);
    await again.append(event(next));
    await again.close();
    await expect(openFileSpool(folder)).resolves.toBeDefined();
  });

  test('sets aside a file that ends with zeros, which a power failure leaves', async () => {
    const folder = await freshFolder();
    const first = await openFileSpool(folder);
    for (const each of from(0, 3)) await first.append(each);
    await first.close();
    const [name = ''] = await readdir(folder);
    await appendFile(join(folder, name), Buffer.alloc(512));
    const told: string[] = [];
    const again = await openFileSpool(folder, { onDamaged: ({ place }) => told.push(place) });
    expect([told, again.waiting()]).toEqual([['line 4'], 3]);
    await again.close();
  });

  test('returns no event that is not on disk, also while others are appended', async () => {
    const folder = await freshFolder();
    const spool = await openFileSpool(folder, { fileCharacters: 1e9 });
    await spool.append(event(0));
    const [name = ''] = await readdir(folder);
    const path = join(folder, name);
    const synced = await watchSyncs(path);
    const long = { seq: 1, json: JSON.stringify({ seq: 1, text: 'x'.repeat(20_000_000) }) };
    const appended = spool.append(long);
    expect(await spool.take(1, 1e9)).toHaveLength(1);
    await appended;
    expect(await spool.take(1, 1e9)).toHaveLength(1);
    expect(synced()).toBe((await stat(path)).size);
    await spool.close();
  });

  test('refuses a link', async () => {
    const folder = await freshFolder();
    await (await openFileSpool(folder)).close();
    await writeFile(join(folder, 'elsewhere'), `${event(0).json}\n`);
    await symlink(join(folder, 'elsewhere'), join(folder, '000000000000.ndjson'));
    await expect(openFileSpool(folder)).rejects.toThrow('ELOOP');
  });
});

test('a file spool refuses a folder in which a pipe has the name of a file, and does not wait for its writer', async () => {
  const folder = await freshFolder();
  await mkdir(folder);
  execFileSync('mkfifo', [join(folder, '000000000000.ndjson')]);
  await expect(openFileSpool(folder)).rejects.toThrow(
    /000000000000\.ndjson is not a regular file: remove it$/,
  );
});

describe('a reporter with a file spool', () => {
  test(
    'loses and duplicates nothing that it accepted, over repeated kills of itself and its server',
    async () => {
      const server = await startRestartableServer(await freshSqliteUrl());
      const runId = await newRun(server.graphql);
      const folder = await freshFolder();
      const program = new URL('children/report-forever.ts', import.meta.url).href;
      let took = -1;
      for (let life = 0; life < LIVES; life += 1) {
        const child = startChild(program, server.graphql, runId, folder);
        await child.printed(50);
        // Every second process dies while the server is down.
        if (life % 2 === 1) await server.kill();
        await sleep(Math.random() * 500);
        await child.kill();
        const numbers = child.lines.map(Number);
        // The next process continues after the accepted events. At most one was accepted but not printed.
        expect([took + 1, took + 2]).toContain(numbers[0]);
        expect(numbers).toEqual(numbers.map((_, index) => numbers[0]! + index));
        took = numbers.at(-1)!;
        if (life % 2 === 1) await server.start();
      }
      const reporter = createReporter({ runId, url: server.graphql, spool: await openFileSpool(folder) });
      const { nextSeq } = await reporter.ready();
      expect([took + 1, took + 2]).toContain(nextSeq);
      await reporter.report({ kind: 'runtime_terminal', data: { text: String(nextSeq) } });
      expect(await reporter.close()).toEqual({ acknowledgedSeq: nextSeq, undelivered: null, failure: null });
      expect(await readdir(folder)).toEqual([]);
      const log = await readLog(server.graphql, runId);
      expect(log.map(({ seq }) => seq)).toEqual(log.map((_, index) => index));
      expect(log.map(({ data }) => data.text)).toEqual(log.map((_, index) => String(index)));
      expect(log.length).toBe(nextSeq + 1);
    },
    PROOF_TIMEOUT_MS,
  );

  test(
    'survives an outage of its server with little in memory',
    async () => {
      const server = await startRestartableServer(await freshSqliteUrl());
      const runId = await newRun(server.graphql);
      const folder = await freshFolder();
      const spool = await openFileSpool(folder, { fileCharacters: 20_000, maxCharacters: 400_000 });
      let retries = 0;
      const onRetry = () => (retries += 1);
      const backoff = { firstMs: 5, longestMs: 200 };
      const reporter = createReporter({ runId, url: server.graphql, spool, backoff, onRetry });
      releaseAfterwards(() => reporter.close({ deadlineMs: 0 }));
      let reported = 0;
      async function reportUntil(enough: () => boolean): Promise<void> {
        for (; !enough(); reported += 1) {
          await reporter.report({ kind: 'assistant_text', data: { text: `${reported} `.padEnd(300, 'x') } });
        }
      }
      await reportUntil(() => reported >= 200);
      await server.kill();
      const away = sleep(OUTAGE_MS);
      await reportUntil(() => spool.held().characters > 350_000);
      await away;
      await eventually(() => retries > 0);
      expect(spool.held().characters).toBeLessThanOrEqual(400_000);
      await server.start();
      await reportUntil(() => reported >= 2_000);
      expect(await reporter.close()).toEqual({ acknowledgedSeq: 1_999, undelivered: null, failure: null });
      const log = await readLog(server.graphql, runId);
      expect(log.map(({ data }) => Number.parseInt(String(data.text), 10))).toEqual(
        Array.from({ length: 2_000 }, (_, index) => index),
      );
    },
    PROOF_TIMEOUT_MS + OUTAGE_MS,
  );
});
