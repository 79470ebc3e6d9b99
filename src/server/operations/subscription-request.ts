import type { DocumentNode, OperationDefinitionNode } from 'graphql';
import { SUBSCRIPTION_REQUEST_MAX_BYTES, SUBSCRIPTION_REQUEST_MAX_WEIGHT } from '../../config/limits.ts';
import { assertWithin, overloaded } from '../../graphql/errors/faults.ts';
import type { Owner } from '../load/byte-total.ts';
import type { Load } from '../load/load.ts';
import { weigh } from '../load/weight.ts';

type Variables = Readonly<Record<string, unknown>>;

/** The most memory that an open subscription takes, in addition to its request and its parsed document. */
const SUBSCRIPTION_BYTES = 16 * 1024;
/** The most memory that one token of a document takes once it is parsed: a field without arguments. */
const BYTES_PER_TOKEN = 400;
/** The bytes of a connection's first subscription that count as part of the connection: some 100 tokens. */
const FIRST_BYTES = 40 * 1024;

/**
 * Returns the weight of a request to open a subscription. Libraries keep everything parsed from it until the
 * subscription ends. Throws DOCUMENT_TOO_LARGE if it is too long or too heavy.
 */
export function weighSubscription(request: Buffer): number {
  assertWithin('bytes of a subscription with its variables', request.length, SUBSCRIPTION_REQUEST_MAX_BYTES);
  const weight = weigh(request, SUBSCRIPTION_REQUEST_MAX_WEIGHT);
  assertWithin('weight of a subscription with its variables', weight, SUBSCRIPTION_REQUEST_MAX_WEIGHT);
  return weight;
}

/** What a subscription keeps in memory until it ends. */
export interface KeptRequest {
  /** See {@link weighSubscription}. */
  readonly weight: number;
  readonly document: DocumentNode;
}

/**
 * Reserves room for a subscription of a connection that already has `open` of them. Returns a function that
 * releases it. A connection's first subscription counts as part of the connection unless it is large, so there is
 * always room for it. If there is no room, connections whose subscriptions take far more are cut. Throws OVERLOADED if
 * there are none.
 */
export function enterSubscription(
  { subscriptions: room }: Pick<Load, 'subscriptions'>,
  { weight, document }: KeptRequest,
  connection: Owner,
  open: number,
): () => void {
  const kept = weight + (document.tokenCount ?? 0) * BYTES_PER_TOKEN;
  const bytes = open === 0 ? Math.max(0, kept - FIRST_BYTES) : SUBSCRIPTION_BYTES + kept;
  if (bytes === 0) return () => {};
  const leave = room.take(bytes, connection);
  if (!leave) throw overloaded('too many subscriptions are open');
  return leave;
}

/** Returns the variables that an operation declares. It keeps no others in memory. */
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
