import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { totalsOf } from '../../src/config/totals.ts';
import { createIntake, type Intake, type Request } from '../../src/server/load/intake.ts';
import { INGEST, post } from '../support/request.ts';
import { eventually, newRun } from '../support/runs.ts';
import { startTransports } from '../support/transports.ts';
import { openWebsocket, streamOf } from '../support/websocket-client.ts';

const KiB = 1024;
const MiB = 1024 * KiB;

interface Arriving {
  readonly request: Request;
  bytes: number;
  state: 'arriving' | 'arrived' | 'gone';
}

function begin(intake: Intake, size: number | null = null): Arriving {
  const arriving: Arriving = {
    bytes: 0,
    state: 'arriving',
    request: intake.begin(() => {
      arriving.state = 'gone';
    }, size),
  };
  return arriving;
}

/** Adds bytes to a request, which is over if there is no room for them. */
function add(arriving: Arriving, bytes: number): boolean {
  const added = arriving.request.add(bytes);
  if (added) arriving.bytes += bytes;
  else if (arriving.state === 'arriving') {
    arriving.state = 'gone';
    arriving.request.release();
  }
  return added;
}

describe('requests in memory', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['performance', 'setInterval', 'clearInterval'] });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  test('never exceed the total, and a small one is admitted whatever others began', () => {
    const step = fc.record({
      number: fc.nat(30),
      what: fc.constantFrom('add', 'fill', 'fill', 'fill', 'arrive', 'begin again'),
      bytes: fc.integer({ min: 1, max: 100_000 }),
      later: fc.nat(20),
    });
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 400, size: 'max' }), (steps) => {
        const intake = createIntake(MiB);
        const requests = Array.from({ length: 31 }, () => begin(intake));
        const sum = (...states: Arriving['state'][]) =>
          requests.reduce((all, { state, bytes }) => (states.includes(state) ? all + bytes : all), 0);
        for (const { number, what, bytes, later } of steps) {
          vi.advanceTimersByTime(later);
          const one = requests[number]!;
          if (one.state === 'gone' || what === 'begin again') {
            one.request.release();
            requests[number] = begin(intake);
          } else if (what === 'add' && one.state === 'arriving') add(one, bytes);
          else if (what === 'fill' && one.state === 'arriving')
            add(one, Math.min(bytes, MiB - intake.heldBytes()));
          else if (what === 'arrive' && sum('arrived') + one.bytes < MiB / 2) {
            one.request.arrived();
            one.state = 'arrived';
          }
          expect(intake.heldBytes()).toBe(sum('arriving', 'arrived'));
          expect(intake.heldBytes()).toBeLessThanOrEqual(MiB);
        }
        const small = Math.floor((MiB - sum('arrived')) / (2 * requests.length + 1));
        const honest = begin(intake, small);
        requests.push(honest);
        for (let part = 0; part < 4; part += 1) expect(add(honest, Math.floor(small / 4))).toBe(true);
        expect(honest.state).toBe('arriving');
        for (const { request } of requests) request.release();
        expect(intake.heldBytes()).toBe(0);
      }),
      { numRuns: 300 },
    );
  });

  test('make room for a small one, although thousands begin again before they are 10 s old', () => {
    const intake = createIntake(512 * MiB);
    const renewed: Arriving[] = [];
    const renew = (number: number) => {
      renewed[number]?.request.release();
      const one = begin(intake);
      renewed[number] = one;
      add(one, 256 * KiB);
    };
    for (let number = 0; number < 2_100; number += 1) {
      vi.advanceTimersByTime(4);
      renew(number);
    }
    let next = 0;
    for (let tick = 0; tick < 200; tick += 1) {
      vi.advanceTimersByTime(100);
      // All of them within 9.5 s, and again at once when they are cut.
      for (let count = 0; count < 22; count += 1) renew(next++ % 2_100);
      for (const [number, { state }] of renewed.entries()) if (state === 'gone') renew(number);
      const honest = begin(intake, 200 * KiB);
      for (let part = 0; part < 5; part += 1) expect(add(honest, 40 * KiB)).toBe(true);
      honest.request.arrived();
      honest.request.release();
    }
  });

  test('that are large and young stay when others want as much', () => {
    const intake = createIntake(MiB);
    const early = begin(intake);
    add(early, 600 * KiB);
    const late = begin(intake, 500 * KiB);
    expect(add(late, 500 * KiB)).toBe(false);
    expect([early.state, late.state]).toEqual(['arriving', 'gone']);
    expect(intake.take(500 * KiB)).toBe(false);
    expect(early.state).toBe('arriving');
  });
});

describe('unfinished requests of known size', () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ['performance', 'setInterval', 'clearInterval'] }));
  afterEach(() => void vi.useRealTimers());

  test('are cut before they are 10 s old only for a far smaller one', () => {
    const intake = createIntake(MiB);
    const large = begin(intake, MiB);
    add(large, 1_000 * KiB);
    vi.advanceTimersByTime(900);
    expect(add(begin(intake, 30 * KiB), 30 * KiB)).toBe(false);
    vi.advanceTimersByTime(200);
    expect(add(begin(intake, 200 * KiB), 200 * KiB)).toBe(false);
    expect(large.state).toBe('arriving');
    expect(add(begin(intake, 30 * KiB), 30 * KiB)).toBe(true);
    expect(large.state).toBe('gone');
  });

  test('that hold back their last byte, and begin again before they are 10 s old, keep out no small one', () => {
    const intake = createIntake(64 * MiB);
    const held: Arriving[] = [];
    const beginAll = () => {
      for (const { request } of held.splice(0)) request.release();
      for (let number = 0; number < 264; number += 1) {
        const one = begin(intake, 256 * KiB);
        if (add(one, 256 * KiB - 1)) held.push(one);
      }
    };
    for (let round = 0; round < 5; round += 1) {
      beginAll();
      vi.advanceTimersByTime(1_100);
      for (let tenth = 11; tenth < 97; tenth += 1) {
        const honest = begin(intake, 16 * KiB);
        expect(add(honest, 16 * KiB)).toBe(true);
        honest.request.release();
        vi.advanceTimersByTime(100);
      }
    }
  });
});

describe('websocket messages in many fragments', () => {
  const totals = { ...totalsOf(), requestBytes: 4 * MiB };

  /** Returns a client frame with a payload of one byte. */
  const frame = (first: number) => Buffer.from([first, 0x81, 0, 0, 0, 0, 0x20]);

  test('that never end make room for a post, however young they are', async () => {
    const { graphql, load } = await startTransports((store) => store, undefined, totals);
    const runId = await newRun(graphql);
    const client = () => openWebsocket(graphql);
    const clients = await Promise.all([client(), client(), client(), client()]);
    const pieces = Buffer.concat([frame(0x01), ...Array.from({ length: 3_999 }, () => frame(0))]);
    for (const one of clients) streamOf(one).write(pieces);
    // Each byte counts as 256.
    await eventually(() => load.intake.heldBytes() === 4 * 4_000 * 256);
    const b = {
      v: 1,
      runId,
      events: [{ seq: 0, tMs: 0, kind: 'notification', data: { text: 'x'.repeat(300_000) } }],
    };
    expect((await post(graphql, INGEST, { b })).status).toBe(200);
    expect(await Promise.race(clients.map((one) => one.closed()))).toMatchObject({ code: 1013 });
  });

  test('may have 16 MiB in 4,096 fragments, and more fragments close the socket with 1008', async () => {
    const { graphql } = await startTransports();
    const client = await openWebsocket(graphql);
    const text = Buffer.from(`{"type":"ping"${' '.repeat(16 * MiB - 15)}}`);
    for (let at = 0; at < text.length; at += 4 * KiB) {
      const fin = at + 4 * KiB === text.length;
      client.socket.send(text.subarray(at, at + 4 * KiB), { fin, binary: false });
    }
    expect((await client.next(60_000)).type).toBe('pong');
    streamOf(client).write(Buffer.concat([frame(0x01), ...Array.from({ length: 4_096 }, () => frame(0))]));
    expect((await client.closed()).code).toBe(1008);
  });
});
