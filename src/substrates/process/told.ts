import { codeOf } from '../../lib/text/error-line.ts';
import { SubstrateError } from '../errors.ts';
import { isNoRoom } from '../job-folders/files.ts';

/** Runs a call and turns what it throws into a {@link SubstrateError}. `doing` completes "could not …". */
export async function told<Value>(doing: string, call: () => Promise<Value>): Promise<Value> {
  try {
    return await call();
  } catch (error) {
    if (error instanceof SubstrateError) throw error;
    const code = codeOf(error);
    throw new SubstrateError(
      {
        errorClass: isNoRoom(code) ? 'capacity' : 'substrate_error',
        message: `could not ${doing}${code && ` (${code})`}`,
        transient: true,
        mayExist: true,
      },
      { cause: error },
    );
  }
}
