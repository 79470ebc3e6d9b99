import type { OperationDefinitionNode } from 'graphql';
import { SUBSCRIPTION_REQUEST_MAX_BYTES, SUBSCRIPTION_REQUEST_MAX_WEIGHT } from '../config/limits.ts';
import { assertWithin, overloaded } from '../graphql/faults.ts';
import type { Load } from './load.ts';
import { weigh } from './weight.ts';

type Variables = Readonly<Record<string, unknown>>;

/** What an open subscription takes at most, beside its request. */
const SUBSCRIPTION_BYTES = 16 * 1024;
/** A connection with more subscriptions may not use up the room for the first ones of others. */
const FEW_SUBSCRIPTIONS = 32;
const SHARE_OF_MANY = 3 / 4;

/**
 * Returns what a request to open a subscription weighs: libraries keep all that was parsed of it until the subscription
 * ends. Throws DOCUMENT_TOO_LARGE for one that is too long or weighs too much.
 */
export function weighSubscription(request: Buffer): number {
  assertWithin('bytes of a subscription with its variables', request.length, SUBSCRIPTION_REQUEST_MAX_BYTES);
  const weight = weigh(request, SUBSCRIPTION_REQUEST_MAX_WEIGHT);
  assertWithin('weight of a subscription with its variables', weight, SUBSCRIPTION_REQUEST_MAX_WEIGHT);
  return weight;
}

/**
 * Takes room for a subscription of a connection that has `open` of them; returns how to give it back. The first one is
 * counted as its connection, so that there is always room for it. Throws OVERLOADED when there is no room.
 */
export function enterSubscription(
  { subscriptions: room }: Pick<Load, 'subscriptions'>,
  weight: number,
  open: number,
): () => void {
  if (open === 0) return () => {};
  const leave = room.take(SUBSCRIPTION_BYTES + weight, open < FEW_SUBSCRIPTIONS ? 1 : SHARE_OF_MANY);
  if (!leave) throw overloaded('too many subscriptions are open');
  return leave;
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
