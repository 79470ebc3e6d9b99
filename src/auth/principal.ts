/** Who an operation runs for. Every workspace has its own namespace of run ids and sees nothing of the others. */
export type Principal = Operator | Runner;

/** May do everything in its workspace. */
export interface Operator {
  readonly kind: 'operator';
  readonly workspace: string;
}

/** A job's runner, which has to do with its own run alone. */
export interface Runner {
  readonly kind: 'runner';
  readonly workspace: string;
  readonly runId: string;
  /** Claiming the job, or, once that was done, sending events as the instance that did. */
  readonly right: { readonly may: 'claim' } | { readonly may: 'send'; readonly instance: string };
  /** Unix milliseconds. */
  readonly expiresAt: number;
}
