import type { OutcomeCode } from '../contract/errors.ts';

/** A request about a job is refused, for a reason that its caller can act on. */
export class JobRefused extends Error {
  override readonly name = 'JobRefused';
  readonly code: OutcomeCode;

  constructor(code: OutcomeCode, message: string) {
    super(message);
    this.code = code;
  }
}

/** A request exceeds what the runner's configuration allows. */
export class JobBeyondLimits extends Error {
  override readonly name = 'JobBeyondLimits';
  /** The name of the input field. */
  readonly field: string;

  constructor(field: string, message: string) {
    super(message);
    this.field = field;
  }
}
