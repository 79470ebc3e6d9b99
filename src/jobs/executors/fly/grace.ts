/** Fly's own maximum. */
const MAX_GRACE_MS = 300_000;

/** Whole milliseconds between SIGTERM and SIGKILL. They bound from above, so that they are only ever rounded down. */
export function graceOf(graceMs: number): number {
  return Math.max(0, Math.floor(Math.min(graceMs, MAX_GRACE_MS)) || 0);
}

/** Whole milliseconds as Go writes a duration. */
export function goDurationOf(ms: number): string {
  return ms % 1_000 === 0 ? `${ms / 1_000}s` : `${ms}ms`;
}
