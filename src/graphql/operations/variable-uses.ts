import {
  type DocumentNode,
  type FragmentDefinitionNode,
  type GraphQLError,
  getOperationAST,
  type OperationDefinitionNode,
  visit,
} from 'graphql';
import { attempt } from '../../lib/attempt.ts';
import { jsonLengthLeft } from '../../lib/text/json-length.ts';
import { documentTooLarge } from '../errors/faults.ts';
import { VARIABLE_REUSE_LENGTH } from '../price/limits.ts';
import { fragmentsOf } from '../price/selection.ts';
import type { OperationRequest } from './request.ts';

/** Operations that use some variable more than once, also through fragments. */
const reusing = new WeakMap<OperationDefinitionNode, boolean>();

/**
 * Returns the fault if the values of variables that are used more than once are too long in total; otherwise null. A
 * request's weight is checked once, but each use of a variable is converted, checked and copied again: 4,000 uses within
 * one literal made 400 MB of 100 KB.
 */
export function refusedReuse({
  document,
  operationName,
  variableValues,
}: OperationRequest): GraphQLError | null {
  const operation = getOperationAST(document, operationName);
  if (!operation?.variableDefinitions?.length || !isReusing(document, operation)) return null;
  const lengths = new Map<string, number>();
  for (const { variable, defaultValue } of operation.variableDefinitions) {
    const { value: name } = variable.name;
    const isGiven = variableValues && Object.hasOwn(variableValues, name);
    const { start = 0, end = 0 } = defaultValue?.loc ?? {};
    lengths.set(name, isGiven ? lengthOf(variableValues[name]) : end - start);
  }
  const used = usedIn(document, operation, (name) => lengths.get(name) ?? 0);
  const once = [...lengths.values()].reduce((sum, length) => sum + length, 0);
  const again = used - once;
  if (again <= VARIABLE_REUSE_LENGTH) return null;
  return documentTooLarge('characters of variables that are used again', again, VARIABLE_REUSE_LENGTH);
}

function isReusing(document: DocumentNode, operation: OperationDefinitionNode): boolean {
  const known = reusing.get(operation);
  if (known !== undefined) return known;
  // Valid operations use each of their variables.
  const isReused = usedIn(document, operation, () => 1) > (operation.variableDefinitions?.length ?? 0);
  reusing.set(operation, isReused);
  return isReused;
}

/** The length of a value as JSON, up to one more than may be used again. */
function lengthOf(value: unknown): number {
  // Null: nested too deeply for the stack.
  const left = attempt(() => jsonLengthLeft(value, VARIABLE_REUSE_LENGTH)) ?? -1;
  return VARIABLE_REUSE_LENGTH - Math.max(-1, left);
}

/** Adds up a number over all uses of variables, with fragments expanded. Visits each definition at most once. */
function usedIn(
  document: DocumentNode,
  operation: OperationDefinitionNode,
  numberOf: (variable: string) => number,
): number {
  const fragments = fragmentsOf(document);
  const sums = new Map<string, number>();

  function sumOf(definition: OperationDefinitionNode | FragmentDefinitionNode): number {
    let sum = 0;
    visit(definition, {
      VariableDefinition: () => false,
      Variable: ({ name }) => {
        sum += numberOf(name.value);
      },
      FragmentSpread: ({ name }) => {
        sum += sumOfFragment(name.value);
      },
    });
    // Fragments that spread each other double the sum with each level.
    return Math.min(sum, Number.MAX_SAFE_INTEGER);
  }

  function sumOfFragment(name: string): number {
    const fragment = fragments.get(name);
    const known = sums.get(name);
    if (known !== undefined || !fragment) return known ?? 0;
    sums.set(name, 0);
    const sum = sumOf(fragment);
    sums.set(name, sum);
    return sum;
  }

  return sumOf(operation);
}
