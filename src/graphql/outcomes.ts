import { GraphQLError } from 'graphql';
import type { OutcomeCode } from '../contract/errors.ts';
import type { Rejection } from '../ingest/judge.ts';
import { builder } from './builder.ts';
import { OutcomeCodeEnum } from './enums.ts';

/** An outcome that is no success. Resolvers throw it; the API answers it as a member of the field's result. */
export class OutcomeError extends Error {
  override readonly name: string = 'OutcomeError';
  readonly code: OutcomeCode;
  constructor(code: OutcomeCode, message: string) {
    super(message);
    this.code = code;
  }
}

/** There is no such run in the caller's workspace. */
export class NotFoundError extends OutcomeError {
  override readonly name = 'NotFoundError';
  constructor(runId: string) {
    super('unknown_run', unknownRunMessage(runId));
  }
}

/** A run of this id is there and is something else. */
export class RunConflictError extends OutcomeError {
  override readonly name = 'RunConflictError';
  constructor(message: string) {
    super('run_conflict', message);
  }
}

/** What was asked of a job is not done. */
export class JobRefusedError extends OutcomeError {
  override readonly name = 'JobRefusedError';
}

/** The server does not follow what it was asked to. */
export class NativeRunRefusedError extends OutcomeError {
  override readonly name = 'NativeRunRefusedError';
}

/** Nothing of a batch was stored. */
export class BatchRejectedError extends OutcomeError {
  override readonly name = 'BatchRejectedError';
  readonly rejection: Omit<Rejection, 'ok'>;
  constructor(rejection: Omit<Rejection, 'ok'>) {
    super(rejection.code, rejection.message);
    this.rejection = rejection;
  }
}

/** An outcome where there is no result for it to be a member of: a subscription's. */
export function outcomeError(code: OutcomeCode, message: string): GraphQLError {
  return new GraphQLError(message, { extensions: { code } });
}

/** The same words for a run that is not there, is another workspace's, or could never be. */
export function unknownRunMessage(runId: string): string {
  return `there is no run ${JSON.stringify(runId.slice(0, 128))} here: create it first`;
}

const ErrorInterface = builder.interfaceRef<OutcomeError>('Error').implement({
  description: 'What all outcomes that are no success have in common.',
  fields: (t) => ({
    message: t.exposeString('message', {
      description: 'One sentence for people. It may change.',
    }),
    code: t.expose('code', {
      type: OutcomeCodeEnum,
      description: 'What programs branch on. It is stable.',
    }),
  }),
});

builder.objectType(NotFoundError, {
  name: 'NotFound',
  description: 'There is no such run here.',
  interfaces: [ErrorInterface],
});

builder.objectType(RunConflictError, {
  name: 'RunConflict',
  description: 'A run of this id is there already, with another provider, runtime or input.',
  interfaces: [ErrorInterface],
});

builder.objectType(JobRefusedError, {
  name: 'JobRefused',
  description: 'Nothing of it was done.',
  interfaces: [ErrorInterface],
});

builder.objectType(NativeRunRefusedError, {
  name: 'NativeRunRefused',
  description: 'Nothing is followed for this run.',
  interfaces: [ErrorInterface],
});

builder.objectType(BatchRejectedError, {
  name: 'BatchRejected',
  description: 'Nothing of the batch was stored.',
  interfaces: [ErrorInterface],
  fields: (t) => ({
    eventIndex: t.int({
      nullable: true,
      description: 'Which event of the batch broke the rule; null when it is about the batch as a whole.',
      resolve: ({ rejection }) => rejection.eventIndex,
    }),
    expectedSeq: t.field({
      type: 'SafeInt',
      nullable: true,
      description:
        'With `seq_gap`: the producer’s number that arrived last (-1: none). Send what follows it.',
      resolve: ({ rejection }) => rejection.expectedSeq,
    }),
  }),
});
