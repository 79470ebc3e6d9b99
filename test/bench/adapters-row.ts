import { RUNTIME_NAMES } from '../../src/runtimes/registry.ts';
import type { AdapterFigures, AdapterOrder } from './adapter-load.ts';
import { ask, startCollected } from './child.ts';
import type { Contestant, Entrant, Row } from './row.ts';

/** No adapter is slower than this on one core, and none holds more the longer its stream is. */
const MEGABYTES_PER_SECOND = 30;
const MAX_GROWTH_MB = 16;

/** How fast runtimes' streams are read, in megabytes a second of one core, and what a long one leaves in memory. */
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
          // What is bare holds nothing: a tenth of it tells its speed.
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
