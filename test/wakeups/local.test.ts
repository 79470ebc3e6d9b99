import { describe, expect, test } from 'vitest';
import { createLocalPlane } from '../../src/wakeups/local.ts';
import { openPlane } from '../../src/wakeups/open.ts';
import { testPlane } from '../suites/wakeups.ts';
import { wakeOf } from './hearing.ts';

const silent = { warn: () => {} };

describe('the plane of one process', () => testPlane(async () => createLocalPlane()));

describe('the plane of a server on SQLite', () => {
  testPlane(() => openPlane({ databaseUrl: 'file:x.db', redisUrl: null }, silent));

  test('drops nothing, and closes', async () => {
    const plane = await openPlane({ databaseUrl: 'file:x.db', redisUrl: null }, silent);
    plane.onGap(() => {})();
    plane.publish([wakeOf(1)]);
    await plane.close();
    expect(plane.dropped()).toBe(0);
  });
});
