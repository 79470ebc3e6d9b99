import { validateRunnerEventBatch } from '../../src/contract/index.ts';
import { batchFrom } from './batches.ts';
import { type Contestant, type Entrant, type Goal, onlyLine, type Row } from './row.ts';

const BATCH_SIZE = 256;
/** Different batches, so that nothing can be cached. */
const BATCHES = 64;

/** The validator alone, in this process, in microseconds per batch. */
export function validatorRow(goals: readonly Goal[]): Row {
  return {
    title: `validator, a batch of ${BATCH_SIZE}`,
    baseline: 'JSON.parse of the same batch',
    lines: onlyLine('µs', goals),
    rhythm: 'short rounds',
    inClient: true,
    enter: async () => {
      const texts = Array.from(
        { length: BATCHES },
        (_, index) => `{"v":1,"runId":"run","events":${batchFrom(index * BATCH_SIZE, BATCH_SIZE).json}}`,
      );
      const inputs = texts.map((text): unknown => JSON.parse(text));
      return [
        enter('ours', (index) => {
          if (!validateRunnerEventBatch(inputs[index]).ok) throw new Error('a valid batch was refused');
        }),
        enter('baseline', (index) => {
          if (JSON.parse(texts[index]!) === null) throw new Error('nothing was parsed');
        }),
      ];
    },
  };
}

function enter(contestant: Contestant, work: (index: number) => void): Entrant {
  return {
    contestant,
    round: async (ms) => {
      const startedAt = performance.now();
      let batches = 0;
      for (; performance.now() - startedAt < ms; batches += BATCHES) {
        for (let index = 0; index < BATCHES; index += 1) work(index);
      }
      return [((performance.now() - startedAt) / batches) * 1_000];
    },
    close: async () => {},
  };
}
