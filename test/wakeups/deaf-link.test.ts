import { expect, test } from 'vitest';
import type { LinkEvents, OpenLink } from '../../src/wakeups/link.ts';
import { openRemotePlane } from '../../src/wakeups/remote.ts';
import { TEST_TIMING } from '../suites/remote-wakeups.ts';
import { releaseAfterwards } from '../support/releases.ts';
import { createHearing, hearAll, wakeOf } from './hearing.ts';

const TIMING = { ...TEST_TIMING, probeMs: 50, probeTimeoutMs: 50 };

/**
 * Creates links within the process. Those that `isDeaf` selects send every message and receive none, as
 * behind an unsuitable pooler. A message takes `turns` turns of the event loop.
 */
function createBus(
  isDeaf: (link: number) => boolean,
  turns = 0,
): { readonly open: OpenLink; opened(): number } {
  const ears = new Set<LinkEvents>();
  let opened = 0;
  return {
    opened: () => opened,
    open: async (events) => {
      if (!isDeaf(opened++)) ears.add(events);
      return {
        send: async (messages) => {
          for (let turn = 0; turn < turns; turn += 1) await new Promise(setImmediate);
          for (const ear of ears) for (const text of messages) ear.message(text);
        },
        close: async () => void ears.delete(events),
      };
    },
  };
}

test('a link that sends but receives nothing is replaced, and the gap is reported', async () => {
  const bus = createBus((link) => link === 0);
  const [logged, gaps] = [createHearing<string>(), createHearing<string>()];
  const plane = await openRemotePlane(bus.open, { warn: (_, message) => logged.hear(message) }, TIMING);
  releaseAfterwards(() => plane.close());
  plane.onGap(() => gaps.hear('gap'));
  await gaps.until(() => true);
  await logged.until((line) => line.endsWith('work again'));
  expect(logged.heard).toHaveLength(2);
  const other = await openRemotePlane(bus.open, { warn: () => {} }, TIMING);
  releaseAfterwards(() => other.close());
  const ear = await hearAll(plane);
  other.publish([wakeOf(1)]);
  expect(plane.dropped()).toBe(0);
  await ear.until(({ run }) => run === 1);
});

test('links that open but never receive are logged once, not at every attempt', async () => {
  const bus = createBus(() => true);
  const logged = createHearing<string>();
  const plane = await openRemotePlane(bus.open, { warn: (_, message) => logged.hear(message) }, TIMING);
  releaseAfterwards(() => plane.close());
  for (let tries = 0; bus.opened() < 5; tries += 1) {
    expect(tries).toBeLessThan(1_000);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  expect(logged.heard).toEqual([expect.stringContaining('down')]);
});

test('a link whose probe takes a few turns is kept when the process was blocked', async () => {
  const bus = createBus(() => false, 5);
  const logged = createHearing<string>();
  const plane = await openRemotePlane(bus.open, { warn: (_, message) => logged.hear(message) }, TIMING);
  releaseAfterwards(() => plane.close());
  // Blocks the process while the first probe is on its way.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 4 * TIMING.probeTimeoutMs);
  const ear = await hearAll(plane);
  const other = await openRemotePlane(bus.open, { warn: () => {} }, TIMING);
  releaseAfterwards(() => other.close());
  other.publish([wakeOf(1)]);
  await ear.until(({ run }) => run === 1);
  expect(logged.heard).toEqual([]);
  expect(bus.opened()).toBe(2);
});
