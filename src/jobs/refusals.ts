import type { OutcomeCode } from '../contract/errors.ts';

/** What was asked of a job is not done, for a reason that its caller can understand. */
export class JobRefused extends Error {
  override readonly name = 'JobRefused';
  readonly code: OutcomeCode;

  constructor(code: OutcomeCode, message: string) {
    super(message);
    this.code = code;
  }
}

/** What was asked for is more than the runner's configuration allows. */
export class JobBeyondLimits extends Error {
  override readonly name = 'JobBeyondLimits';
  /** The field of the input. */
  readonly field: string;

  constructor(field: string, message: string) {
    super(message);
    this.field = field;
  }
}
