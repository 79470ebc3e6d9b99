import { z } from 'zod';
import { NativeRefused } from '../../native/refusals.ts';
import type { NativeInput } from '../../native/start.ts';
import { RUN_ID_PATTERN, RUN_ID_RULE } from '../../runs/ids.ts';
import { builder } from '../builder.ts';
import { NativeRunRefusedError, RunConflictError } from '../errors/outcomes.ts';
import { jsonSchema, labelsSchema, titleSchema } from './input.ts';
import { RunType } from './type.ts';

/** The maximum size of a request as JSON text. */
const REQUEST_MAX_BYTES = 8 * 1024 * 1024;

const startNativeRunSchema = z
  .object({
    runId: z.string().regex(RUN_ID_PATTERN, `must be ${RUN_ID_RULE}`),
    title: titleSchema.nullish(),
    labels: labelsSchema.nullish(),
    sessionId: z
      .string()
      .regex(/^[\w-]{1,200}$/, 'must be 1 to 200 characters from A-Z a-z 0-9 _ -')
      .nullish(),
    request: jsonSchema(REQUEST_MAX_BYTES).nullish(),
  })
  .refine(({ sessionId, request }) => (sessionId == null) !== (request == null), {
    message: 'pass exactly one of sessionId and request',
  });

const StartNativeRunInput = builder.inputType('StartNativeRunInput', {
  description:
    'The Anthropic stream to follow and the run to record it in. Pass either `sessionId` or `request`.',
  validate: { schema: startNativeRunSchema },
  fields: (t) => ({
    runId: t.id({ required: true, description: 'The run’s id. The run is created if it does not exist.' }),
    title: t.string({ description: 'A title for the run if it is created. At most 500 characters.' }),
    labels: t.field({
      type: 'JSONObject',
      description: 'Labels for the run if it is created: at most 64 strings, numbers or booleans.',
    }),
    sessionId: t.id({
      description:
        'A session at the provider. The run records its history and what follows, until the current ' +
        'turn ends. Send the message that starts the turn first: an idle session gives a run that has ' +
        'ended.',
    }),
    request: t.field({
      type: 'JSONObject',
      description:
        'The body of one request to `/v1/messages`. At most 8 MiB. The response is always streamed ' +
        'and becomes the run, even if it stops for a tool call. The request is not stored.',
    }),
  }),
});

const StartNativeRunSuccess = builder
  .objectRef<{ readonly key: number; readonly started: boolean }>('StartNativeRunSuccess')
  .implement({
    description: 'The run exists, and the server follows its stream until it ends.',
    fields: (t) => ({
      run: t.prismaField({
        type: RunType,
        description: 'The run.',
        resolve: (query, { key }, _args, { store }) =>
          store.catalog.run.findUniqueOrThrow({ ...query, where: { key } }),
      }),
      started: t.exposeBoolean('started', {
        description: 'True if this call started following the stream, false if an earlier call did.',
      }),
    }),
  });

builder.mutationField('startNativeRun', (t) =>
  t.field({
    type: StartNativeRunSuccess,
    errors: {
      types: [RunConflictError, NativeRunRefusedError],
      union: { description: 'The followed run, or the reason it was refused.' },
    },
    description:
      'Makes the server follow an Anthropic stream with the API key and URL from its configuration. ' +
      'Idempotent by run: repeating the call returns the existing run. The run accepts events only ' +
      'from the server. `endRun` ends the run and interrupts its session.',
    args: {
      input: t.arg({ type: StartNativeRunInput, required: true, description: 'The stream to follow.' }),
    },
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
