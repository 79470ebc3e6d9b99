import { randomUUID } from 'node:crypto';
import { beforeAll, describe, expect, test } from 'vitest';
import type { NewNativeRun } from '../../src/store/native-runs.ts';
import type { Store } from '../../src/store/store.ts';
import type { TestDatabase } from '../support/databases.ts';
import { createRun, event } from './store-records.ts';

const leaseOf = (owner: string, leaseMs = 60_000) => ({ owner, leaseMs });

/** Tests creating followed runs and passing them from one process to another. */
export function testNativeRuns({ open }: TestDatabase): void {
  let store: Store;
  beforeAll(async () => {
    store = await open();
  });

  async function newNativeRun(): Promise<NewNativeRun> {
    const { key } = await createRun(store, { runtime: 'native' });
    return { run: key, source: 'session', sessionId: 'sesn_1', specHash: 'k.hash' };
  }

  const fenceOf = async (run: number) => (await store.readHeads([run])).get(run)?.fence;

  /** Appends a terminal event or a notification to the run's log. */
  async function append(run: number, kind: 'runtime_terminal' | 'notification'): Promise<void> {
    const head = (await store.readHeads([run])).get(run)!;
    const seq = head.lastSeq + 1;
    const terminalSeq = kind === 'runtime_terminal' ? seq : null;
    const after = { ...head, lastSeq: seq, lastSourceSeq: seq, eventCount: seq + 1, terminalSeq };
    const events = [event(seq, { kind })];
    const endedAt = terminalSeq === null ? null : 5;
    const { size } = await store.commit([
      { run, expectedLastSeq: head.lastSeq, events, head: after, startedAt: null, endedAt },
    ]);
    expect(size).toBe(1);
  }

  /** Takes over runs until none is left. Returns those of this test. */
  async function takenBy(owner: string, runs: readonly number[]): Promise<number[]> {
    const taken: number[] = [];
    for (;;) {
      const record = await store.nativeRuns.takeOver(leaseOf(owner), []);
      if (!record) return taken.filter((run) => runs.includes(run));
      taken.push(record.run);
    }
  }

  describe('followed runs', () => {
    test('a created run is read back unchanged, and its owner owns its log', async () => {
      const asked = await newNativeRun();
      const owner = randomUUID();
      expect(await store.nativeRuns.read(asked.run)).toBeNull();
      expect(await store.nativeRuns.create(asked, leaseOf(owner))).toBe(true);
      const record = await store.nativeRuns.read(asked.run);
      expect(record).toMatchObject({ ...asked, runId: 'run-1' });
      expect(record!.now).toBeGreaterThanOrEqual(record!.createdAt);
      expect(Math.abs(record!.now - Date.now())).toBeLessThan(60_000);
      expect(await fenceOf(asked.run)).toBe(owner);
    });

    test('one of twenty concurrent requests creates a followed run', async () => {
      const asked = await newNativeRun();
      const owners = Array.from({ length: 20 }, () => randomUUID());
      const answers = await Promise.all(
        owners.map((owner) => store.nativeRuns.create(asked, leaseOf(owner))),
      );
      expect(answers.filter(Boolean)).toHaveLength(1);
      expect(await fenceOf(asked.run)).toBe(owners[answers.indexOf(true)]);
    });

    test.each(['notification', 'runtime_terminal'] as const)(
      'a run that has a %s cannot become a followed run',
      async (kind) => {
        const asked = await newNativeRun();
        await append(asked.run, kind);
        expect(await store.nativeRuns.create(asked, leaseOf('one'))).toBe(false);
        expect(await store.nativeRuns.read(asked.run)).toBeNull();
        expect(await fenceOf(asked.run)).toBeNull();
      },
    );

    test('a run whose lease has expired goes to one of many at once, and so does its log', async () => {
      const asked = await newNativeRun();
      await store.nativeRuns.create(asked, leaseOf('dead', 0));
      const owners = Array.from({ length: 8 }, () => randomUUID());
      const taken = await Promise.all(owners.map((owner) => takenBy(owner, [asked.run])));
      expect(taken.flat()).toEqual([asked.run]);
      expect(await fenceOf(asked.run)).toBe(owners[taken.findIndex((runs) => runs.length > 0)]);
    });

    test('a renewed run stays with its owner until it ends', async () => {
      const asked = await newNativeRun();
      const owner = randomUUID();
      await store.nativeRuns.create(asked, leaseOf(owner, 0));
      expect(await store.nativeRuns.renew(leaseOf('other'), [asked.run])).toEqual(new Set());
      expect(await store.nativeRuns.renew(leaseOf(owner), [asked.run])).toEqual(new Set([asked.run]));
      expect(await takenBy('other', [asked.run])).toEqual([]);
      await append(asked.run, 'runtime_terminal');
      expect(await store.nativeRuns.renew(leaseOf(owner), [asked.run])).toEqual(new Set());
    });

    test('a released run can be taken at once, and only its owner can release it', async () => {
      const asked = await newNativeRun();
      const owner = randomUUID();
      await store.nativeRuns.create(asked, leaseOf(owner));
      await store.nativeRuns.giveBack('other', asked.run);
      expect(await takenBy('other', [asked.run])).toEqual([]);
      await store.nativeRuns.giveBack(owner, asked.run);
      expect(await takenBy('other', [asked.run])).toEqual([asked.run]);
    });

    test('a run that an owner follows is not assigned to the same owner again', async () => {
      const asked = await newNativeRun();
      const owner = randomUUID();
      await store.nativeRuns.create(asked, leaseOf(owner, 0));
      const taken = new Set<number>();
      for (;;) {
        const record = await store.nativeRuns.takeOver(leaseOf(owner), [asked.run]);
        if (!record) break;
        taken.add(record.run);
      }
      expect(taken).not.toContain(asked.run);
      expect(await takenBy('other', [asked.run])).toEqual([asked.run]);
    });

    test('a lease that would end too late ends within the duration of a lease', async () => {
      const asked = await newNativeRun();
      await store.nativeRuns.create(asked, leaseOf('dead', 3_600_000));
      expect(await takenBy('other', [asked.run])).toEqual([]);
      const before = await store.nativeRuns.now();
      expect(Math.abs(before - Date.now())).toBeLessThan(60_000);
      await store.nativeRuns.recall(0);
      expect(await takenBy('other', [asked.run])).toEqual([asked.run]);
    });

    test('an ended run is assigned until it is settled, and a running one cannot be settled', async () => {
      const asked = await newNativeRun();
      await store.nativeRuns.create(asked, leaseOf('one', 0));
      await store.nativeRuns.settle(asked.run);
      expect(await takenBy('two', [asked.run])).toEqual([asked.run]);
      await append(asked.run, 'runtime_terminal');
      await store.nativeRuns.giveBack('two', asked.run);
      expect(await takenBy('three', [asked.run])).toEqual([asked.run]);
      await store.nativeRuns.giveBack('three', asked.run);
      await store.nativeRuns.settle(asked.run);
      expect(await takenBy('four', [asked.run])).toEqual([]);
    });
  });
}
