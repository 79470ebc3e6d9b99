import type { JsonObject } from '../../contract/events.ts';
import type { StoredEvent } from '../../store/store.ts';
import { builder } from '../builder.ts';
import { RunnerEventKindEnum } from '../enums.ts';

/** An event in the log, identical whether it is read from history or arrives live. */
export const RunnerEventType = builder.objectRef<StoredEvent>('RunnerEvent').implement({
  description: 'One event of a run.',
  fields: (t) => ({
    seq: t.expose('seq', {
      type: 'SafeInt',
      description:
        'The event’s number in the log and the cursor to continue from. Strictly increasing, ' +
        'possibly with gaps.',
    }),
    tMs: t.expose('tMs', {
      type: 'SafeInt',
      description:
        'When the event happened, in milliseconds. runfeed’s own tools count from 1970. Never lower ' +
        'than that of the event before it.',
    }),
    kind: t.expose('kind', {
      type: RunnerEventKindEnum,
      description: 'The kind of the event.',
    }),
    data: t.field({
      type: 'JSONObject',
      description: 'The content. Its shape depends on `kind`.',
      resolve: (event, _args, { budget }) => {
        // One event can be selected under many aliases, but reading it was counted once.
        budget.write(event.data.length);
        return parsedData(event);
      },
    }),
    sourceSeq: t.expose('sourceSeq', {
      type: 'SafeInt',
      nullable: true,
      description: 'The producer’s own `seq`. Null for events that the server created.',
    }),
    committedAt: t.field({
      type: 'DateTime',
      description: 'When the server stored the event.',
      resolve: ({ committedAt }) => new Date(committedAt),
    }),
  }),
});

const parsed = new WeakMap<StoredEvent, JsonObject>();

/** Returns the data of an event. The data is parsed once for all readers. */
function parsedData(event: StoredEvent): JsonObject {
  const known = parsed.get(event);
  if (known) return known;
  const data = JSON.parse(event.data) as JsonObject;
  parsed.set(event, data);
  return data;
}
