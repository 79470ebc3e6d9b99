/** The command line or the environment is invalid. The process exits with 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}
