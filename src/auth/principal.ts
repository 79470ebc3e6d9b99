/** Who an operation runs for. */
export interface Principal {
  /** Every workspace has its own namespace of run ids and sees nothing of the others. */
  readonly workspace: string;
}

/** Until there are keys: whoever reaches this loopback-only server operates its one workspace. */
export const LOOPBACK_OPERATOR: Principal = { workspace: 'default' };
