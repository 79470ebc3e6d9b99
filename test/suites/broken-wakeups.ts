import { expect, test } from 'vitest';
import type { ServerPlane } from '../../src/wakeups/plane.ts';
import type { Carrier } from '../wakeups/carriers.ts';
import { createHearing, hearAll, wakeOf } from '../wakeups/hearing.ts';
import { openTestPlane, TEST_TIMING } from './remote-wakeups.ts';

const IS_DOWN = /^wake-ups between processes are down/;
const IS_BACK = /^wake-ups between processes work again/;

/** Tests planes whose carrier fails. */
export function testBrokenPlanes(carrier: Carrier): void {
  /** Opens a healthy plane, and one over a connection that can be broken. */
  async function openBreakable() {
    const sound = await carrier.fresh();
    const { config, way } = await carrier.breakable(sound);
    const [logged, gaps] = [createHearing<string>(), createHearing<string>()];
    const other = await openTestPlane(sound);
    const plane = await openTestPlane(config, logged.hear);
    plane.onGap(() => gaps.hear('gap'));
    return { sound, way, logged, gaps, other, plane };
  }

  /** Expects that wakes arrive in both directions. */
  async function expectWakes(one: ServerPlane, other: ServerPlane): Promise<void> {
    const [atOne, atOther] = [await hearAll(one), await hearAll(other)];
    one.publish([wakeOf(101)]);
    other.publish([wakeOf(102)]);
    await Promise.all([atOther.until(({ run }) => run === 101), atOne.until(({ run }) => run === 102)]);
  }

  test('a connection that the server ends is reopened, and the gap is reported', async () => {
    const { sound, way, logged, gaps, other, plane } = await openBreakable();
    await expectWakes(plane, other);
    expect(logged.heard).toEqual([]);
    await carrier.kill(sound, way.ports());
    await gaps.until(() => true);
    await expectWakes(plane, other);
    await logged.until((line) => IS_BACK.test(line));
    expect(logged.heard).toEqual([expect.stringMatching(IS_DOWN), expect.stringMatching(IS_BACK)]);
    expect(gaps.heard).toHaveLength(1);
  });

  test('a connection that is open but carries nothing is detected and replaced', async () => {
    const { way, logged, gaps, other, plane } = await openBreakable();
    await expectWakes(plane, other);
    way.freeze();
    plane.publish([wakeOf(1)]);
    await logged.until((line) => IS_DOWN.test(line));
    way.mend();
    await gaps.until(() => true);
    await expectWakes(plane, other);
  });

  test('a process that is paused for longer than a probe may take keeps its connection', async () => {
    const config = await carrier.fresh();
    const logged = createHearing<string>();
    const plane = await openTestPlane(config, logged.hear, {
      ...TEST_TIMING,
      probeMs: 100,
      probeTimeoutMs: 100,
    });
    const nobody = new Int32Array(new SharedArrayBuffer(4));
    for (let times = 0; times < 10; times += 1) {
      plane.publish([wakeOf(1)]);
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 20));
      Atomics.wait(nobody, 0, 0, 250);
    }
    await expectWakes(plane, await openTestPlane(config));
    expect(logged.heard).toEqual([]);
  });

  test('wakes to other processes are dropped and counted while the server is gone, wakes within the process are not', async () => {
    const { way, logged, gaps, other, plane } = await openBreakable();
    way.cut();
    await logged.until((line) => IS_DOWN.test(line));
    const ear = createHearing();
    const leave = await plane.listen(1, ear.hear);
    for (let seq = 0; seq < 3; seq += 1) {
      plane.publish([wakeOf(1, { lastSeq: seq })]);
      // Wakes of one run that wait together are sent as one, so each is dropped before the next.
      await expect.poll(() => plane.dropped()).toBe(seq + 1);
    }
    expect(ear.heard).toHaveLength(3);
    leave();
    // Reported once, however often it retries.
    expect(logged.heard).toHaveLength(1);
    way.mend();
    await gaps.until(() => true);
    await expectWakes(plane, other);
  });

  test('a plane opens without its server, and works once the server is available', async () => {
    const sound = await carrier.fresh();
    const { config, way } = await carrier.breakable(sound);
    way.cut();
    const [logged, gaps] = [createHearing<string>(), createHearing<string>()];
    const plane = await openTestPlane(config, logged.hear);
    plane.onGap(() => gaps.hear('gap'));
    await logged.until((line) => IS_DOWN.test(line));
    way.mend();
    await gaps.until(() => true);
    await expectWakes(plane, await openTestPlane(sound));
  });

  test.each(['sound', 'frozen', 'cut'] as const)('a plane closes over a %s connection', async (state) => {
    const { way, plane } = await openBreakable();
    if (state === 'frozen') way.freeze();
    if (state === 'cut') way.cut();
    plane.publish([wakeOf(1)]);
    await plane.close();
    await plane.close();
    plane.publish([wakeOf(2)]);
    expect(plane.dropped()).toBeGreaterThanOrEqual(1);
  });

  test('a closed plane leaves neither sockets nor timers', async () => {
    const config = await carrier.fresh();
    const held = () =>
      process.getActiveResourcesInfo().filter((name) => /TCPSocket|TLSWrap|Timeout/.test(name)).length;
    const before = held();
    const planes = await Promise.all(Array.from({ length: 5 }, () => openTestPlane(config)));
    expect(held()).toBeGreaterThan(before);
    for (const plane of planes) plane.publish([wakeOf(1)]);
    await Promise.all(planes.map((plane) => plane.close()));
    for (let tries = 0; held() > before; tries += 1) {
      expect(tries).toBeLessThan(500);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  });

  test('a password is never logged', async () => {
    const config = await carrier.fresh();
    const secret = 'do-not-tell-me';
    const withSecret = (url: string) => {
      const locked = new URL(url);
      locked.username = 'nobody-known';
      locked.password = secret;
      return locked.href;
    };
    const logged = createHearing<string>();
    const locked = config.redisUrl
      ? { ...config, redisUrl: withSecret(config.redisUrl) }
      : { ...config, databaseUrl: withSecret(config.databaseUrl) };
    await openTestPlane(locked, logged.hear);
    await logged.until((line) => IS_DOWN.test(line));
    expect(logged.heard.join()).not.toContain(secret);
  });
}
