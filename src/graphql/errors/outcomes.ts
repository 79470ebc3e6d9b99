import { GraphQLError } from 'graphql';
import type { OutcomeCode } from '../../contract/errors.ts';
import type { Rejection } from '../../ingest/judge.ts';
import { unknownRunMessage } from '../../runs/ids.ts';
import { builder } from '../builder.ts';
import { OutcomeCodeEnum } from '../enums.ts';

/** A refusal. Resolvers throw it; the API returns it as a member of the field's result union. */
export class OutcomeError extends Error {
  override readonly name: string = 'OutcomeError';
  readonly code: OutcomeCode;
  constructor(code: OutcomeCode, message: string) {
    super(message);
    this.code = code;
  }
}

/** The run does not exist in the caller's workspace. */
export class NotFoundError extends OutcomeError {
  override readonly name = 'NotFoundError';
  constructor(runId: string) {
    super('unknown_run', unknownRunMessage(runId));
  }
}

/** A run with this id already exists with a different provider, runtime or input. */
export class RunConflictError extends OutcomeError {
  override readonly name = 'RunConflictError';
  constructor(message: string) {
    super('run_conflict', message);
  }
}

/** A request about a job was refused and changed nothing. */
export class JobRefusedError extends OutcomeError {
  override readonly name = 'JobRefusedError';
}

/** The server refuses to follow the requested stream. */
export class NativeRunRefusedError extends OutcomeError {
  override readonly name = 'NativeRunRefusedError';
}

/** A batch was refused. None of its events were stored. */
export class BatchRejectedError extends OutcomeError {
  override readonly name = 'BatchRejectedError';
  readonly rejection: Omit<Rejection, 'ok'>;
  constructor(rejection: Omit<Rejection, 'ok'>) {
    super(rejection.code, rejection.message);
    this.rejection = rejection;
  }
}

/** Creates the error for an outcome of a subscription, which has no result union. */
export function outcomeError(code: OutcomeCode, message: string): GraphQLError {
  return new GraphQLError(message, { extensions: { code } });
}

const ErrorInterface = builder.interfaceRef<OutcomeError>('Error').implement({
  description: 'The fields that every refusal has.',
  fields: (t) => ({
    message: t.exposeString('message', {
      description: 'One sentence for people. The wording may change.',
    }),
    code: t.expose('code', {
      type: OutcomeCodeEnum,
      description: 'A stable code for programs to branch on.',
    }),
  }),
});

builder.objectType(NotFoundError, {
  name: 'NotFound',
  description: 'The run does not exist.',
  interfaces: [ErrorInterface],
});

builder.objectType(RunConflictError, {
  name: 'RunConflict',
  description: 'A run with this id already exists with a different provider, runtime or input.',
  interfaces: [ErrorInterface],
});

builder.objectType(JobRefusedError, {
  name: 'JobRefused',
  description: 'The request was refused and changed nothing.',
  interfaces: [ErrorInterface],
});

builder.objectType(NativeRunRefusedError, {
  name: 'NativeRunRefused',
  description: 'The server does not follow a stream for this run.',
  interfaces: [ErrorInterface],
});

builder.objectType(BatchRejectedError, {
  name: 'BatchRejected',
  description: 'The batch was refused and none of its events were stored.',
  interfaces: [ErrorInterface],
  fields: (t) => ({
    eventIndex: t.int({
      nullable: true,
      description: 'The index of the event that broke the rule. Null if the batch as a whole was refused.',
      resolve: ({ rejection }) => rejection.eventIndex,
    }),
    expectedSeq: t.field({
      type: 'SafeInt',
      nullable: true,
      description:
        'With `seq_gap`: the producer’s `seq` of the last stored event, or -1 if there is none. ' +
        'Resend everything after it.',
      resolve: ({ rejection }) => rejection.expectedSeq,
    }),
  }),
});
