import type { OutcomeCode } from '../contract/errors.ts';

/** A request to follow a run was refused. `code` and `message` are for the caller. */
export class NativeRefused extends Error {
  override readonly name = 'NativeRefused';
  readonly code: OutcomeCode;

  constructor(code: OutcomeCode, message: string) {
    super(message);
    this.code = code;
  }
}

/** This process already follows its maximum number of runs. */
export class NativeInboxFull extends Error {
  override readonly name = 'NativeInboxFull';

  constructor() {
    super('this server already follows its maximum number of runs: try again later');
  }
}
