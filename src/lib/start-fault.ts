import { lineOf } from './text/error-line.ts';

/**
 * A server cannot start with its configuration or environment. The message is one line that names the
 * variable to change.
 */
export class StartFault extends Error {
  override readonly name = 'StartFault';
}

/**
 * Runs one step of a start. An error becomes a {@link StartFault} that names the variable. Of its value the
 * message repeats at most what the error did, prepared by `lineOf`.
 */
export async function startingWith<Opened>(
  variable: string,
  open: () => Opened | Promise<Opened>,
): Promise<Opened> {
  try {
    return await open();
  } catch (error) {
    if (error instanceof StartFault) throw error;
    throw new StartFault(`${variable}: ${lineOf(error)}`, { cause: error });
  }
}
