import { type GraphQLError, getOperationAST, type OperationDefinitionNode } from 'graphql';
import type { Runner } from '../../auth/principal.ts';
import { fault } from '../errors/faults.ts';
import { collectFields, fragmentsOf } from '../price/selection.ts';
import type { OperationRequest } from './request.ts';

/** The root fields that a runner's token grants. An allow list, so that fields added later are refused. */
const RUNNER_FIELDS: Readonly<Record<Runner['right']['may'], readonly string[]>> = {
  claim: ['__typename', 'server', 'claimJob'],
  send: ['__typename', 'server', 'run', 'ingestEvents'],
};

/** Returns the fault if the caller may not request these fields, or null. `findRun` checks the run. */
export function refusedTo({ document, operationName, contextValue }: OperationRequest): GraphQLError | null {
  const { principal } = contextValue;
  if (principal.kind === 'operator') return null;
  const operation = getOperationAST(document, operationName);
  const allowed = RUNNER_FIELDS[principal.right.may];
  const asked = operation ? rootFieldsOf(operation, document) : [];
  const refused = asked.find((name) => !allowed.includes(name));
  if (refused === undefined) return null;
  const use = principal.right.may === 'claim' ? 'claim its run’s job' : 'send its run’s events';
  return fault('FORBIDDEN', `this token can only ${use}, not request ${refused}: use another token`, 403);
}

function rootFieldsOf(operation: OperationDefinitionNode, document: OperationRequest['document']): string[] {
  // Fields that a directive excludes must be allowed, too: the variables have not been checked yet.
  const scope = { fragments: fragmentsOf(document), variables: null };
  const fields = collectFields(['Query', 'Mutation', 'Subscription'], [operation], scope);
  return [...fields.values()].flatMap((nodes) => nodes.map(({ name }) => name.value));
}
