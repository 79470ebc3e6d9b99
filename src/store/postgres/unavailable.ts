/**
 * SQLSTATE classes and codes that say "not now" rather than "never": the connection (08), resources (53), a server
 * that starts, stops or fails over (57P, 25006), and conflicts that another try resolves (40001, 40P01, 55P03).
 * https://www.postgresql.org/docs/current/errcodes-appendix.html
 */
const RETRYABLE_STATE = /^(08...|53...|57P0[1-5]|25006|40001|40P01|55P03)$/;

/** Node's names for a network that failed under the connection. */
const NETWORK_CODE =
  /^E(CONN(REFUSED|RESET|ABORTED)|PIPE|TIMEDOUT|HOSTUNREACH|NETUNREACH|AI_AGAIN|NOTFOUND)$/;

/** What the driver says in words alone, without a code. */
const DRIVER_MESSAGE =
  /Connection terminated|connection error|timeout exceeded when trying to connect|Query read timeout|Client was closed|server closed the connection/i;

/** Whether the database may answer the same call later. */
export function isUnavailable(error: unknown): boolean {
  if (error instanceof AggregateError) return error.errors.some(isUnavailable);
  if (!(error instanceof Error)) return false;
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  if (code) return RETRYABLE_STATE.test(code) || NETWORK_CODE.test(code);
  return DRIVER_MESSAGE.test(error.message);
}
