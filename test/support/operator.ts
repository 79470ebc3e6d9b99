import type { Operator } from '../../src/auth/principal.ts';

/** The operator, for parts that are tested without the server's authentication. */
export const OPERATOR: Operator = { kind: 'operator', workspace: 'default' };
