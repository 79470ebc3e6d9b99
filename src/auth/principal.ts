/** The caller of an operation. Workspaces are isolated, and each has its own namespace of run ids. */
export type Principal = Operator | Runner;

/** A caller that may do everything in its workspace. */
export interface Operator {
  readonly kind: 'operator';
  readonly workspace: string;
}

/** The runner of a job, restricted to the job's run. */
export interface Runner {
  readonly kind: 'runner';
  readonly workspace: string;
  readonly runId: string;
  /** `claim`: may claim the job. `send`: may send events as the instance that has claimed the job. */
  readonly right: { readonly may: 'claim' } | { readonly may: 'send'; readonly instance: string };
  /** Unix milliseconds. */
  readonly expiresAt: number;
}
