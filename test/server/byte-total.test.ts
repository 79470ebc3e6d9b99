import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { totalsOf } from '../../src/config/totals.ts';
import { type ByteTotal, createByteTotal } from '../../src/server/load/byte-total.ts';
import { codesOf } from '../support/error-codes.ts';
import { ingest, newRun } from '../support/runs.ts';
import { startTransports } from '../support/transports.ts';
import { openWebsocket } from '../support/websocket-client.ts';

const KiB = 1024;
const MiB = 1024 * KiB;

/** An owner that releases what it holds when it is cut, as a connection does, but some time later. */
function createOwner(total: ByteTotal) {
  const releases: (() => void)[] = [];
  let held = 0;
  const owner = {
    isCut: false,
    destroy: () => {
      owner.isCut = true;
    },
  };
  return {
    isCut: () => owner.isCut,
    held: () => (owner.isCut ? 0 : held),
    take: (bytes: number) => {
      const release = total.take(bytes, owner);
      if (!release) return false;
      held += bytes;
      releases.push(() => {
        held -= bytes;
        release();
        // Only the first call counts.
        release();
      });
      return true;
    },
    release: () => releases.pop()?.(),
    releaseAll: () => {
      for (const release of releases.splice(0)) release();
    },
  };
}

type Step = readonly [owner: number, bytes: number];

describe('a total of bytes', () => {
  test('is never exceeded, leaves each owner its share whatever others took before, and is free again afterwards', () => {
    const step = fc.tuple(fc.nat(40), fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 70_000 })));
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 600, size: 'max' }), (steps: readonly Step[]) => {
        const total = createByteTotal(MiB);
        const owners = Array.from({ length: 41 }, () => createOwner(total));
        const sum = () => owners.reduce((all, owner) => all + owner.held(), 0);
        for (const [number, bytes] of steps) {
          const owner = owners[number]!;
          if (bytes === 0) owner.release();
          // A greedy owner takes as much of what it wants as it gets.
          else for (let part = bytes; part >= 1; part = Math.floor(part / 2)) if (!owner.take(part)) continue;
          expect(total.heldBytes()).toBe(sum());
          expect(total.heldBytes()).toBeLessThanOrEqual(MiB);
        }
        const honest = createOwner(total);
        owners.push(honest);
        const holding = owners.filter((owner) => owner.held() > 0).length + 1;
        const share = Math.min(MiB / 16, (MiB * (15 / 16) * (3 / 4)) / holding);
        for (let part = 0; part < 8; part += 1) expect(honest.take(Math.floor(share / 8))).toBe(true);
        expect(honest.isCut()).toBe(false);
        expect(total.heldBytes()).toBe(sum());
        for (const owner of owners) owner.releaseAll();
        expect(total.heldBytes()).toBe(0);
        expect(createOwner(total).take(MiB / 16)).toBe(true);
      }),
      { numRuns: 200 },
    );
  });

  test('of a default heap has room for a dashboard, whatever 2,000 others took one after another', () => {
    const total = createByteTotal(totalsOf(4_096 * MiB).subscriptionBytes);
    for (let number = 0; number < 2_000; number += 1) {
      const greedy = createOwner(total);
      for (let part = 16 * MiB; part >= 16 * KiB; part /= 2) while (greedy.take(part));
    }
    const honest = createOwner(total);
    for (let open = 0; open < 8; open += 1) expect(honest.take(16 * KiB + 50 * 400 + 1_000)).toBe(true);
    expect(honest.isCut()).toBe(false);
  });

  test('comes to rest among equals that all want more than their share, return when they are cut, and retry', () => {
    const total = createByteTotal(MiB);
    let owners: ReturnType<typeof createOwner>[] = [];
    /** Lets everyone take what it can get. Returns false once no one was cut. */
    const round = () => {
      owners = owners.map((owner) => (owner.isCut() ? createOwner(total) : owner));
      for (const owner of owners) while (owner.held() < 24 * KiB && owner.take(256));
      return owners.some((owner) => owner.isCut());
    };
    let rounds = 0;
    for (let number = 0; number < 200; number += 1) {
      owners.push(createOwner(total));
      while (round()) {
        rounds += 1;
        expect(rounds).toBeLessThan(1_000);
      }
    }
    expect(owners).toHaveLength(200);
    for (const owner of owners) expect(owner.held()).toBeGreaterThan((MiB * (15 / 16) * (3 / 4)) / 200 - 256);
  });
});

test('the socket whose subscriptions take the most is closed with 1013 to make room, and its subscriptions end', async () => {
  const totals = { ...totalsOf(), subscriptionBytes: 4 * MiB };
  const { graphql, load, feed } = await startTransports((store) => store, undefined, totals);
  const [mine, watched] = [await newRun(graphql), await newRun(graphql)];
  const query = (runId: string) => `subscription { runEvents(runId: "${runId}") { seq } }`;
  const greedy = await Promise.all(Array.from({ length: 20 }, () => openWebsocket(graphql)));
  let refused = 0;
  for (const client of greedy) {
    for (let n = 0; n < 20; n += 1) client.subscribe(`s${n}`, query(watched));
    client.send({ type: 'ping' });
    for (let message = await client.next(); message.type !== 'pong'; message = await client.next()) {
      expect(codesOf(message.payload)).toEqual(['OVERLOADED']);
      refused += 1;
    }
  }
  expect(refused).toBeGreaterThan(0);
  const honest = await openWebsocket(graphql);
  for (let n = 0; n < 5; n += 1) honest.subscribe(`s${n}`, query(mine));
  expect(await Promise.race(greedy.map((client) => client.closed()))).toEqual({
    code: 1013,
    reason: 'Try again later',
  });
  await ingest(graphql, mine, [{ seq: 0, tMs: 0, kind: 'assistant_text', data: { text: 'hello' } }]);
  for (let n = 0; n < 5; n += 1) expect((await honest.next()).type).toBe('next');
  expect(load.subscriptions.heldBytes()).toBeLessThanOrEqual(4 * MiB);
  for (const { socket } of [honest, ...greedy]) socket.terminate();
  await expect
    .poll(() => [load.subscriptions.heldBytes(), feed.watchedRuns()], { timeout: 20_000 })
    .toEqual([0, 0]);
});
