/** A longer line is cut there, in UTF-16 units. */
const MAX_LINE = 1_000;

/** The code that Node, a driver or the system gave an error, such as ENOENT; empty when it has none. */
export function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}

/** An error's message in one line, with its code and without its stack. */
export function lineOf(error: unknown): string {
  // Node tries each address of a host name and says nothing of its own about all of them.
  if (error instanceof AggregateError && error.message === '') return error.errors.map(lineOf).join('; ');
  const line = (error instanceof Error ? error.message : String(error)).replace(/\s+/g, ' ').trim();
  const code = codeOf(error);
  const address = addressOf(error);
  if (code === 'EADDRINUSE')
    return `${address} is in use already: choose another, or stop what listens there`;
  if (code === 'ECONNREFUSED' && address) return `nothing listens at ${address} (ECONNREFUSED)`;
  const told = line.includes(code) ? line : `${line} (${code})`.trim();
  return told.length > MAX_LINE ? `${told.slice(0, MAX_LINE)}…` : told;
}

/** The address and port that a system call was made with; empty where the error does not say. */
function addressOf(error: unknown): string {
  if (!(error instanceof Error) || !('address' in error) || !('port' in error)) return '';
  const address = String(error.address);
  return `${address.includes(':') ? `[${address}]` : address}:${String(error.port)}`;
}
