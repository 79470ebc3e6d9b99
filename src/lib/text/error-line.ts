import { echoedLine } from './echo.ts';

/**
 * Returns the code that Node, a driver or the system gave an error, such as ENOENT, or an empty string if
 * there is none.
 */
export function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}

/**
 * Returns an error's message as one line, with its code and without its stack. What the message repeats, such
 * as a path, is printable, clipped and free of the passwords of URLs.
 */
export function lineOf(error: unknown): string {
  // Node tries each address of a host name and gives the combined error no message.
  if (error instanceof AggregateError && error.message === '') return error.errors.map(lineOf).join('; ');
  const line = echoedLine(error instanceof Error ? error.message : String(error));
  const code = codeOf(error);
  const address = addressOf(error);
  if (code === 'EADDRINUSE')
    return `${address} is already in use: choose another address, or stop the process that listens there`;
  if (code === 'ECONNREFUSED' && address) return `nothing listens at ${address} (ECONNREFUSED)`;
  return line.includes(code) ? line : `${line} (${code})`.trim();
}

/** Returns the address and port of a failed system call, or an empty string if the error has none. */
function addressOf(error: unknown): string {
  if (!(error instanceof Error) || !('address' in error) || !('port' in error)) return '';
  const address = String(error.address);
  return `${address.includes(':') ? `[${address}]` : address}:${String(error.port)}`;
}
