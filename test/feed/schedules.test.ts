import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { StoredEvent } from '../../src/store/store.ts';
import { type Seam, startSeam } from './seam.ts';
import { seamPlan } from './seam-plans.ts';
import type { SeamReader } from './seam-readers.ts';
import { createTurns } from './turns.ts';

/** The number of schedules to try. Each is a different interleaving of everything that awaits. */
const schedules = Number(process.env.RUNFEED_PROOF_RUNS ?? 1_000);

test('at any interleaving a reader gets every event after its cursor exactly once and in order', {
  timeout: 60_000 + schedules * 60,
}, async () => {
  await fc.assert(
    fc.asyncProperty(seamPlan, fc.nat(), async (plan, order) => {
      const seam = await startSeam(plan, createTurns(order));
      await seam.settle();
      if (plan.lossy) {
        await Promise.all([seam.feed.poll(), seam.settle()]);
      } else {
        expect(seam.feed.foundByPoll()).toBe(0);
      }
      for (const reader of seam.readers) expectEverything(seam, reader);
      expect(await seam.shutDown()).toBe(0);
      expect(seam.feed.watchedRuns()).toBe(0);
    }),
    // The timeout also fails a schedule in which a reader never ends.
    { numRuns: schedules, timeout: 10_000 },
  );
});

function expectEverything(seam: Seam, reader: SeamReader): void {
  const { plan, delivered, gaps, completed } = reader.log;
  const committed = seam.committed(reader);
  const wanted = committed.filter((event) => event.seq > plan.after && passes(event, plan.kinds));
  const removed = (event: StoredEvent) =>
    gaps.some((gap) => event.seq > gap.above && event.seq <= gap.through);
  const seen = new Set(delivered.map(({ seq }) => seq));
  const due = wanted.filter((event) => seen.has(event.seq) || !removed(event));
  // Nearly always they are the same objects, and a deep comparison takes longer than everything else.
  const same = delivered.length === due.length && delivered.every((event, index) => event === due[index]);
  if (!same) expect(delivered).toEqual(due);
  const through = Math.max(-1, ...gaps.map((gap) => gap.through));
  if (through >= 0) expect(through).toBeLessThanOrEqual(seam.removedThrough(reader));
  expect(completed).toBe(committed.at(-1)?.kind === 'runtime_terminal');
}

function passes(event: StoredEvent, kinds: readonly string[] | null): boolean {
  return kinds === null || kinds.includes(event.kind) || event.kind === 'runtime_terminal';
}
