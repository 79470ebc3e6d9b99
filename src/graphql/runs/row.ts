import type { Prisma } from '../../generated/postgres/client.ts';

/** The row of a run as Prisma reads it. */
type RunRow = Prisma.RunGetPayload<object>;

/** The row of a run with everything that filters compare. */
export type UpdatedRun = RunRow & { readonly job: { readonly status: string } | null };
