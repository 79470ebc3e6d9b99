import type { JsonObject } from '../contract/events.ts';
import type { StoredEvent } from '../store/store.ts';
import { builder } from './builder.ts';
import { RunnerEventKindEnum } from './enums.ts';

/** An event in the log, the same whether it is read from history or arrives live. */
export const RunnerEventType = builder.objectRef<StoredEvent>('RunnerEvent').implement({
  description: 'One thing that a run’s runtime said or did.',
  fields: (t) => ({
    seq: t.expose('seq', {
      type: 'SafeInt',
      description:
        'Its number in the run’s log: rises strictly, may leave gaps, and is the cursor to go on from.',
    }),
    tMs: t.expose('tMs', {
      type: 'SafeInt',
      description:
        'When it happened, in milliseconds (our tools: since 1970). Never below the event before it.',
    }),
    kind: t.expose('kind', {
      type: RunnerEventKindEnum,
      description: 'What it is.',
    }),
    data: t.field({
      type: 'JSONObject',
      description: 'Its content, by kind.',
      resolve: (event, _args, { budget }) => {
        // One event can be asked for under many names; reading it was counted once.
        budget.write(event.data.length);
        return parsedData(event);
      },
    }),
    sourceSeq: t.expose('sourceSeq', {
      type: 'SafeInt',
      nullable: true,
      description: 'The producer’s own number; null on the server’s own events.',
    }),
    committedAt: t.field({
      type: 'DateTime',
      description: 'When the server stored it.',
      resolve: ({ committedAt }) => new Date(committedAt),
    }),
  }),
});

const parsed = new WeakMap<StoredEvent, JsonObject>();

/** An event's data, parsed once however many read it. */
function parsedData(event: StoredEvent): JsonObject {
  const known = parsed.get(event);
  if (known) return known;
  const data = JSON.parse(event.data) as JsonObject;
  parsed.set(event, data);
  return data;
}
