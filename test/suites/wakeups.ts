import { expect, test } from 'vitest';
import type { Chunk, WakeupPlane } from '../../src/wakeups/plane.ts';
import { createHearing, hearAll, wakeOf } from '../wakeups/hearing.ts';

const chunk: Chunk = {
  previousSeq: 1,
  events: [],
  head: {
    lastSeq: 4,
    lastSourceSeq: 4,
    lastTMs: 0,
    eventCount: 5,
    serverEvents: 0,
    dataBytes: 0,
    terminalSeq: null,
    removedThrough: -1,
    fence: null,
  },
};

/** Tests that apply to every plane within its process. `open` opens a plane for exclusive use by one test. */
export function testPlane(open: () => Promise<WakeupPlane>): void {
  test('a wake is delivered before publish returns, with its chunk, to listeners of its run and of all runs', async () => {
    const plane = await open();
    const ofRun = createHearing();
    const ofOther = createHearing();
    await plane.listen(1, ofRun.hear);
    await plane.listen(2, ofOther.hear);
    const all = await hearAll(plane);
    const wakes = [wakeOf(1, { lastSeq: 4, chunk }), wakeOf(3)];
    plane.publish(wakes);
    expect(ofRun.heard).toEqual([wakes[0]]);
    expect(ofOther.heard).toEqual([]);
    expect(all.heard).toEqual(wakes);
  });

  test('wakes within a process are not merged', async () => {
    const plane = await open();
    const all = await hearAll(plane);
    const wakes = [
      wakeOf(1, { kind: 'created', lastSeq: -1 }),
      wakeOf(1),
      wakeOf(1, { kind: 'ended', lastSeq: 1 }),
    ];
    for (const wake of wakes) plane.publish([wake]);
    expect(all.heard).toEqual(wakes);
  });

  test('a listener that has left receives nothing more, and the others of the same run still do', async () => {
    const plane = await open();
    const [left, stayed, leftAll] = [createHearing(), createHearing(), createHearing()];
    const leave = await plane.listen(1, left.hear);
    await plane.listen(1, stayed.hear);
    const leaveAll = await plane.listenToAll(leftAll.hear);
    leave();
    leave();
    leaveAll();
    plane.publish([wakeOf(1)]);
    expect([left.heard, stayed.heard, leftAll.heard]).toEqual([[], [wakeOf(1)], []]);
  });

  test('a listener that leaves and returns receives each wake once', async () => {
    const plane = await open();
    const ear = createHearing();
    for (let times = 0; times < 3; times += 1) (await plane.listen(1, ear.hear))();
    await plane.listen(1, ear.hear);
    plane.publish([wakeOf(1)]);
    expect(ear.heard).toEqual([wakeOf(1)]);
  });
}
