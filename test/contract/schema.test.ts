import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { runnerEventBatchSchema } from '../../src/contract/index.ts';
import { accepted, anyEvents, batchOf, eventOf, refused } from './batches.ts';

describe('the zod schema', () => {
  it('outputs the batch that the validator accepts', () => {
    fc.assert(
      fc.property(anyEvents, (events) => {
        const batch = runnerEventBatchSchema.parse(batchOf(events));
        expect(JSON.stringify(batch)).toBe(JSON.stringify(accepted(batchOf(events))));
        expect(Object.isFrozen(batch.events)).toBe(true);
      }),
    );
  });

  it("turns a refusal into one issue with the validator's message and code", () => {
    const refusals = [
      undefined,
      {},
      batchOf([]),
      batchOf([eventOf(), eventOf()]),
      batchOf([eventOf({ seq: 'x' })]),
    ];
    for (const input of refusals) {
      const { code, message, eventIndex } = refused(input);
      expect(runnerEventBatchSchema.safeParse(input).error?.issues).toStrictEqual([
        {
          code: 'custom',
          message,
          params: { code },
          path: eventIndex === undefined ? [] : ['events', eventIndex],
        },
      ]);
    }
  });

  it('composes: the path leads from the outermost object to the event, and an absent batch is refused', () => {
    const request = z.object({ batch: runnerEventBatchSchema });
    expect(request.safeParse({ batch: batchOf([1]) }).error?.issues[0]?.path).toStrictEqual([
      'batch',
      'events',
      0,
    ]);
    expect(request.safeParse({}).error?.issues).toHaveLength(1);
    expect(request.parse({ batch: batchOf([eventOf()]) }).batch.runId).toBe('run-1');
  });

  it('never throws on hostile input', () => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    expect(runnerEventBatchSchema.safeParse(proxy).success).toBe(false);
  });
});
