import { expect, test } from 'vitest';
import { createLocalPlane } from '../../src/wakeups/local.ts';

test('a plane tells whoever is registered for the run, and nobody after they left', async () => {
  const plane = createLocalPlane();
  const told: string[] = [];
  const stopOne = await plane.listen(1, () => told.push('one'));
  const stopOther = await plane.listen(1, () => told.push('other'));
  await plane.listen(2, () => told.push('two'));
  const stopAll = await plane.listenToAll(({ run }) => told.push(`all ${run}`));
  const wake = { run: 1, workspace: 'w', kind: 'appended', lastSeq: 1, chunk: null } as const;
  plane.publish([wake, { ...wake, run: 3 }]);
  expect(told.splice(0)).toEqual(['one', 'other', 'all 1', 'all 3']);
  stopOne();
  stopOne();
  plane.publish([wake]);
  expect(told.splice(0)).toEqual(['other', 'all 1']);
  stopOther();
  stopAll();
  plane.publish([wake]);
  expect(told).toEqual([]);
});
