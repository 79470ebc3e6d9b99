import { expect, test } from 'vitest';
import type { LinkTiming } from '../../src/wakeups/keeper.ts';
import { openPlane, type PlaneConfig } from '../../src/wakeups/open.ts';
import type { ServerPlane, Wake } from '../../src/wakeups/plane.ts';
import { releaseAfterwards } from '../support/releases.ts';
import type { Carrier } from '../wakeups/carriers.ts';
import { createHearing, hearAll, wakeOf } from '../wakeups/hearing.ts';

/** Broken connections are detected quickly and repaired at once, so that tests need not wait. */
export const TEST_TIMING: LinkTiming = {
  probeMs: 1_000,
  probeTimeoutMs: 1_000,
  backoffMs: 10,
  maxBackoffMs: 100,
};

/** Opens a plane for the test. Its log lines go to `say`. */
export async function openTestPlane(
  config: PlaneConfig,
  say: (line: string) => void = () => {},
  timing = TEST_TIMING,
): Promise<ServerPlane> {
  const plane = await openPlane(
    config,
    { warn: (fields, message) => say(`${message} ${JSON.stringify(fields)}`) },
    timing,
  );
  releaseAfterwards(() => plane.close());
  return plane;
}

/** Tests planes of several processes that share a server. */
export function testPlanesBetweenProcesses(carrier: Carrier): void {
  async function openTwo(): Promise<[ServerPlane, ServerPlane, PlaneConfig]> {
    const config = await carrier.fresh();
    return [await openTestPlane(config), await openTestPlane(config), config];
  }

  test('each receives the other’s wakes, without chunks, and its own only once', async () => {
    const [one, other] = await openTwo();
    const [atOne, atOther] = [await hearAll(one), await hearAll(other)];
    const head = { lastSeq: 7, lastSourceSeq: 7, lastTMs: 0, eventCount: 8, serverEvents: 0, dataBytes: 9 };
    const chunk = {
      previousSeq: 6,
      events: [],
      head: { ...head, terminalSeq: null, removedThrough: -1, fence: null },
    };
    const first = wakeOf(1, { workspace: 'Wörk "1"\u0000\ud800🎈', lastSeq: 7, chunk });
    one.publish([first]);
    await atOther.until(({ run }) => run === 1);
    // If the first wake had an echo, it would arrive before this wake.
    other.publish([wakeOf(2)]);
    await atOne.until(({ run }) => run === 2);
    expect(atOther.heard).toEqual([{ ...first, chunk: null }, wakeOf(2)]);
    expect(atOne.heard).toEqual([first, wakeOf(2)]);
  });

  test('planes of one database receive no wakes of another', async () => {
    const one = await openTestPlane(await carrier.fresh());
    const [stranger, , config] = await openTwo();
    const neighbour = await openTestPlane(config);
    const atStranger = await hearAll(stranger);
    one.publish([wakeOf(1)]);
    neighbour.publish([wakeOf(2)]);
    await atStranger.until(({ run }) => run === 2);
    expect(atStranger.heard).toEqual([wakeOf(2)]);
  });

  test('the changes of a run in one turn are sent as one wake with the strongest kind and the last number', async () => {
    const [one, other] = await openTwo();
    const atOther = await hearAll(other);
    one.publish([wakeOf(1, { kind: 'created', lastSeq: -1 }), wakeOf(2, { lastSeq: 3 })]);
    one.publish([wakeOf(1, { lastSeq: 0 }), wakeOf(2, { kind: 'ended', lastSeq: 4 })]);
    one.publish([wakeOf(1, { lastSeq: 9 }), wakeOf(3, { lastSeq: 1 }), wakeOf(3, { lastSeq: 2 })]);
    await atOther.until(({ run }) => run === 3);
    expect(atOther.heard).toEqual([
      wakeOf(1, { kind: 'created', lastSeq: 9 }),
      wakeOf(2, { kind: 'ended', lastSeq: 4 }),
      wakeOf(3, { lastSeq: 2 }),
    ]);
  });

  test('ten thousand wakes in one turn are one message for few runs, and a few messages for many runs', async () => {
    const [one, other, config] = await openTwo();
    const messages = createHearing<string>();
    const gone = new AbortController();
    const link = await carrier.link(config)({ message: messages.hear, broke: () => {} }, gone.signal);
    releaseAfterwards(() => link.close());
    const atOther = await hearAll(other);
    for (let index = 0; index < 10_000; index += 1) one.publish([wakeOf(index % 100, { lastSeq: index })]);
    await atOther.until(({ run }) => run === 99);
    one.publish(Array.from({ length: 10_000 }, (_, run) => wakeOf(run, { lastSeq: 10_000 + run })));
    await atOther.until(({ run }) => run === 9_999);
    one.publish([wakeOf(-1)]);
    await messages.until((text) => text.includes('[-1,'));
    expect(atOther.heard).toHaveLength(100 + 10_000 + (atOther.heard.some(({ run }) => run === -1) ? 1 : 0));
    const ofWakes = messages.heard.filter((text) => text.includes('['));
    expect(ofWakes.length).toBeLessThan(1 + 40 + 1);
    expect(ofWakes.filter((text) => text.includes('[99,0,9999]'))).toHaveLength(1);
    for (const text of ofWakes) expect(Buffer.byteLength(text)).toBeLessThanOrEqual(7_900);
    expect(one.dropped()).toBe(0);
  });

  test('waiting wakes are bounded: above ten thousand runs, wakes to other processes are dropped and counted', async () => {
    const [one, other] = await openTwo();
    const [atOne, atOther] = [await hearAll(one), await hearAll(other)];
    one.publish(Array.from({ length: 10_003 }, (_, run) => wakeOf(run)));
    expect(one.dropped()).toBe(3);
    // A run that is already waiting is still reported.
    one.publish([wakeOf(0, { lastSeq: 5 })]);
    expect(one.dropped()).toBe(3);
    await atOther.until(({ run }) => run === 9_999);
    expect(atOne.heard).toHaveLength(10_004);
    expect(atOther.heard).toHaveLength(10_000);
    expect(atOther.heard[0]).toEqual(wakeOf(0, { lastSeq: 5 }));
  });

  test('a confirmed listener receives everything that is sent afterwards, two hundred times', async () => {
    const [one, other] = await openTwo();
    for (let run = 0; run < 200; run += 1) {
      const ear = createHearing<Wake>();
      const leave = await other.listen(run, ear.hear);
      one.publish([wakeOf(run)]);
      await ear.until(() => true);
      leave();
    }
  });

  test('a plane that has just been opened misses nothing', async () => {
    const config = await carrier.fresh();
    const one = await openTestPlane(config);
    for (let run = 0; run < 20; run += 1) {
      const newcomer = await openTestPlane(config);
      const ear = await hearAll(newcomer);
      one.publish([wakeOf(run)]);
      await ear.until((wake) => wake.run === run);
      await newcomer.close();
    }
  });

  test('wakes published before a close still reach the others', async () => {
    const [one, other] = await openTwo();
    const atOther = await hearAll(other);
    one.publish([wakeOf(1, { kind: 'ended' })]);
    await one.close();
    await atOther.until(({ kind }) => kind === 'ended');
  });

  test('foreign messages on the channel are ignored', async () => {
    const [one, other, config] = await openTwo();
    const gone = new AbortController();
    const link = await carrier.link(config)({ message: () => {}, broke: () => {} }, gone.signal);
    releaseAfterwards(() => link.close());
    const atOther = await hearAll(other);
    await link.send([
      '',
      ':',
      '2:',
      '2:x:',
      '2:x:[',
      '2:x:{}',
      '2:x:[[1,0,0]]',
      '2:x:["w",[1,9,0]]',
      '2:x:["w",[1,0]]',
    ]);
    await link.send(['1:x:["w",[1,0,0]]', '2:x:["w",[1.5,0,0]]', '2:x:["w",7]', '2:x:99', 'x'.repeat(7_900)]);
    await link.send(['2:x:["w",[5,2,2]]']);
    await atOther.until(({ run }) => run === 5);
    expect(atOther.heard).toEqual([wakeOf(5, { workspace: 'w', kind: 'created', lastSeq: 2 })]);
    one.publish([wakeOf(6)]);
    await atOther.until(({ run }) => run === 6);
  });
}
