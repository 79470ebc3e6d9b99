import { type GraphQLError, getOperationAST, type OperationDefinitionNode } from 'graphql';
import type { Runner } from '../auth/principal.ts';
import { fault } from './faults.ts';
import type { OperationRequest } from './operation-request.ts';
import { collectFields, fragmentsOf } from './selection.ts';

/** What a runner's token is good for: everything else is refused, also what will be added. */
const RUNNER_FIELDS: Readonly<Record<Runner['right']['may'], readonly string[]>> = {
  claim: ['__typename', 'server', 'claimJob'],
  send: ['__typename', 'server', 'run', 'ingestEvents'],
};

/** Why the caller may not ask for this; null: it may. Which run it is about, `findRun` looks after. */
export function refusedTo({ document, operationName, contextValue }: OperationRequest): GraphQLError | null {
  const { principal } = contextValue;
  if (principal.kind === 'operator') return null;
  const operation = getOperationAST(document, operationName);
  const allowed = RUNNER_FIELDS[principal.right.may];
  const asked = operation ? rootFieldsOf(operation, document) : [];
  const refused = asked.find((name) => !allowed.includes(name));
  if (refused === undefined) return null;
  const use = principal.right.may === 'claim' ? 'to claim its run’s job' : 'to send its run’s events';
  return fault('FORBIDDEN', `this token is only good ${use}, not for ${refused}`, 403);
}

function rootFieldsOf(operation: OperationDefinitionNode, document: OperationRequest['document']): string[] {
  // What a directive leaves out must be allowed, too: its variables have not been looked at yet.
  const scope = { fragments: fragmentsOf(document), variables: null };
  const fields = collectFields(['Query', 'Mutation', 'Subscription'], [operation], scope);
  return [...fields.values()].flatMap((nodes) => nodes.map(({ name }) => name.value));
}
