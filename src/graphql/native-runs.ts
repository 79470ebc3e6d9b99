import { z } from 'zod';
import { NativeRefused } from '../native/refusals.ts';
import type { NativeInput } from '../native/start.ts';
import { builder } from './builder.ts';
import { NativeRunRefusedError, RunConflictError } from './outcomes.ts';
import { RunType } from './run.ts';
import { RUN_ID_PATTERN } from './run-ids.ts';
import { jsonSchema, labelsSchema, titleSchema } from './run-input.ts';

/** Of a request's JSON text. */
const REQUEST_MAX_BYTES = 8 * 1024 * 1024;

const startNativeRunSchema = z
  .object({
    runId: z.string().regex(RUN_ID_PATTERN, 'must be 1 to 128 of the characters A-Z a-z 0-9 _ . : -'),
    title: titleSchema.nullish(),
    labels: labelsSchema.nullish(),
    sessionId: z
      .string()
      .regex(/^[\w-]{1,200}$/, 'must be 1 to 200 of the characters A-Z a-z 0-9 _ -')
      .nullish(),
    request: jsonSchema(REQUEST_MAX_BYTES).nullish(),
  })
  .refine(({ sessionId, request }) => (sessionId == null) !== (request == null), {
    message: 'give exactly one of sessionId and request',
  });

const StartNativeRunInput = builder.inputType('StartNativeRunInput', {
  description:
    'What of Anthropic’s the server is to follow, and as which run. Exactly one of `sessionId` and `request`.',
  validate: { schema: startNativeRunSchema },
  fields: (t) => ({
    runId: t.id({ required: true, description: 'The run’s id. The run is created if it is not there.' }),
    title: t.string({ description: 'Of the run, if it is created: for people; at most 500 characters.' }),
    labels: t.field({
      type: 'JSONObject',
      description: 'Of the run, if it is created: at most 64 of text, numbers or booleans.',
    }),
    sessionId: t.id({
      description:
        'A session of the provider’s: its history and what follows, until its turn is over. Send the turn’s message ' +
        'first: a session that is idle is a run that has ended.',
    }),
    request: t.field({
      type: 'JSONObject',
      description:
        'The body of one request to `/v1/messages`, at most 8 MiB; it is always streamed, and not stored. Its answer is ' +
        'the run, also one that stops for tools.',
    }),
  }),
});

const StartNativeRunSuccess = builder
  .objectRef<{ readonly key: number; readonly started: boolean }>('StartNativeRunSuccess')
  .implement({
    description: 'The run is there and is followed, or was until its end.',
    fields: (t) => ({
      run: t.prismaField({
        type: RunType,
        description: 'The run, new or as it is.',
        resolve: (query, { key }, _args, { store }) =>
          store.catalog.run.findUniqueOrThrow({ ...query, where: { key } }),
      }),
      started: t.exposeBoolean('started', {
        description: 'Whether following it began with this; false when the same had been asked before.',
      }),
    }),
  });

builder.mutationField('startNativeRun', (t) =>
  t.field({
    type: StartNativeRunSuccess,
    errors: { types: [RunConflictError, NativeRunRefusedError] },
    description:
      'Has the server itself follow what Anthropic streams, with the key and address of its configuration. Idempotent by ' +
      'run: the same input again answers the run as it is. The run takes events from nobody else; `endRun` ends it, and ' +
      'interrupts its session.',
    args: { input: t.arg({ type: StartNativeRunInput, required: true, description: 'What to follow.' }) },
    resolve: async (_root, { input }, context) => {
      try {
        const { run, begun } = await context.native.start({
          workspace: context.principal.workspace,
          runId: input.runId,
          title: input.title ?? null,
          labels: JSON.stringify(input.labels ?? {}),
          input: sourceOf(input),
        });
        return { key: run.key, started: begun !== null };
      } catch (error) {
        if (!(error instanceof NativeRefused)) throw error;
        if (error.code === 'run_conflict') throw new RunConflictError(error.message);
        throw new NativeRunRefusedError(error.code, error.message);
      }
    },
  }),
);

function sourceOf({ sessionId, request }: typeof StartNativeRunInput.$inferInput): NativeInput {
  if (sessionId != null) return { source: 'session', sessionId };
  return { source: 'messages', request: request ?? {} };
}
