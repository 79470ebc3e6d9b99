import type { OutcomeCode } from '../contract/errors.ts';

/** A run is not followed, for a reason that its caller can understand. */
export class NativeRefused extends Error {
  override readonly name = 'NativeRefused';
  readonly code: OutcomeCode;

  constructor(code: OutcomeCode, message: string) {
    super(message);
    this.code = code;
  }
}

/** This process follows as many runs as it can. */
export class NativeInboxFull extends Error {
  override readonly name = 'NativeInboxFull';

  constructor() {
    super('this server follows as many runs as it can: try again a little later');
  }
}
