import { lineOf } from './error-line.ts';

/** Why a server cannot start with its configuration and surroundings: one line that names the variable to change. */
export class StartFault extends Error {
  override readonly name = 'StartFault';
}

/** Does one step of a start. What it throws becomes a {@link StartFault} of this variable, whose value stays out. */
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
