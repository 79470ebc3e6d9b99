import type { OperationDefinitionNode } from 'graphql';
import { SUBSCRIPTION_REQUEST_MAX_BYTES } from '../config/limits.ts';
import { assertWithin } from '../graphql/faults.ts';

type Variables = Readonly<Record<string, unknown>>;

/**
 * Throws DOCUMENT_TOO_LARGE for a request of too many bytes to open a subscription. The request stays in memory until
 * the subscription ends, but is not counted with the requests that will be answered: idle subscribers could otherwise
 * fill that total.
 */
export function assertSubscriptionRequest(bytes: number): void {
  assertWithin('bytes of a subscription with its variables', bytes, SUBSCRIPTION_REQUEST_MAX_BYTES);
}

/** The variables that an operation declares. A subscription keeps no others. */
export function declaredVariables(
  { variableDefinitions = [] }: OperationDefinitionNode,
  variables: Variables | null | undefined,
): Variables {
  const declared: [string, unknown][] = [];
  for (const { variable } of variableDefinitions) {
    const name = variable.name.value;
    if (variables && Object.hasOwn(variables, name)) declared.push([name, variables[name]]);
  }
  return Object.fromEntries(declared);
}
