/** Fly's own maximum. */
const MAX_GRACE_MS = 300_000;

/** Returns whole milliseconds between SIGTERM and SIGKILL, rounded down because they are an upper bound. */
export function graceOf(graceMs: number): number {
  return Math.max(0, Math.floor(Math.min(graceMs, MAX_GRACE_MS)) || 0);
}

/** Formats whole milliseconds as a Go duration, such as `10s` or `999ms`. */
export function goDurationOf(ms: number): string {
  return ms % 1_000 === 0 ? `${ms / 1_000}s` : `${ms}ms`;
}
