import { RUNTIME_NAMES } from '../../src/runtimes/registry.ts';
import type { AdapterFigures, AdapterOrder } from './adapter-load.ts';
import { ask, startCollected } from './child.ts';
import type { Contestant, Entrant, Row } from './row.ts';

/**
 * The goals: the least speed of an adapter on one core, and the most that its heap may grow with the stream.
 */
const MEGABYTES_PER_SECOND = 30;
const MAX_GROWTH_MB = 16;

/**
 * The speed of reading runtimes' streams, in megabytes per second of one core, and the memory left after a
 * long one.
 */
export function adaptersRow(bytes: number): Row {
  return {
    title: `adapters, a stream of ${(bytes / 1e6).toLocaleString('en-US')} MB`,
    baseline: 'lines split and JSON.parse',
    lines: RUNTIME_NAMES.flatMap((name) => [
      {
        title: name,
        unit: 'MB/s',
        goals: [{ against: null, holds: 'at least', bar: MEGABYTES_PER_SECOND } as const],
      },
      {
        title: `${name}, heap at its end over that at its first tenth`,
        unit: 'MB',
        goals: [{ against: null, holds: 'at most', bar: MAX_GROWTH_MB } as const],
      },
    ]),
    rhythm: 'once',
    enter: async () => [enter('ours', false, bytes), enter('baseline', true, bytes)],
  };
}

function enter(contestant: Contestant, bare: boolean, bytes: number): Entrant {
  return {
    contestant,
    round: async () => {
      const figures: number[] = [];
      for (const name of RUNTIME_NAMES) {
        const child = startCollected('adapter-load.ts');
        try {
          await ask(child, null);
          // Bare parsing keeps nothing in memory, so a tenth of the stream shows its speed.
          const order: AdapterOrder = { name, bare, bytes: bare ? bytes / 10 : bytes };
          const { megabytesPerSecond, heapGrowthMb } = (await ask(child, order)) as AdapterFigures;
          figures.push(megabytesPerSecond, heapGrowthMb);
        } finally {
          await child.stop();
        }
      }
      return figures;
    },
    close: async () => {},
  };
}
