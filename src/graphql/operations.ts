import { setImmediate as nextTurn } from 'node:timers/promises';
import {
  createSourceEventStream,
  type ExecutionArgs,
  type ExecutionResult,
  execute,
  GraphQLError,
  getOperationAST,
  Kind,
  type TypeNode,
} from 'graphql';
import { type Totals, totalsOf } from '../config/totals.ts';
import { withNext } from '../lib/cancellable.ts';
import { clipEnd } from '../lib/clip.ts';
import { createTurns } from '../lib/turns.ts';
import { priceOf, refusedForCost, weighEvents } from './admission.ts';
import { type AnswerBudget, createAnswerBudgets, takeTurn } from './answer-budget.ts';
import { refusedTo } from './authorize.ts';
import { BATCH_INPUT } from './batch-input.ts';
import { ingestDirectly } from './direct-ingest.ts';
import { createDocuments, type Documents } from './document.ts';
import {
  asFault,
  isPassing,
  MAX_MESSAGE_LENGTH,
  type ReportUnexpected,
  recoded,
  rootCause,
} from './faults.ts';
import {
  BYTES_PER_COST,
  COPIED_AT_ONCE_BYTES,
  MAX_WAITING_FOR_TURN,
  MAX_WAITING_PER_CONNECTION,
  TURN_COST,
} from './limits.ts';
import type { OperationRequest } from './operation-request.ts';
import { executedSchema, publicSchema } from './schema.ts';
import { refusedVariables } from './variables.ts';

/** What every transport does with operations, the same way. Results hold only faults that the client may know. */
export interface Operations extends Documents {
  /**
   * Waits for a turn of the event loop with time to copy and write what a request of so many bytes holds, which was
   * parsed in this turn. Null: it may go on now. Throws OVERLOADED when too much waits.
   */
  copyingTurn(bytes: number, owner: object): Promise<void> | null;
  /** Runs a query or mutation. */
  execute(request: OperationRequest): Promise<ExecutionResult>;
  /**
   * Starts a subscription; throws a fault that will pass. Its iterator throws where the stream ended for another
   * reason than the run's end; what it throws is for the transport to judge.
   */
  subscribe(
    request: OperationRequest,
  ): Promise<ExecutionResult | AsyncGenerator<ExecutionResult, void, undefined>>;
  /** Answers one event of a subscription's source. */
  answer(request: OperationRequest, event: unknown): Promise<ExecutionResult>;
}

/** Why an operation may not run: its variables, its caller's rights, its price. Null: it may. Costs next to nothing. */
export function refusalOf(request: OperationRequest): GraphQLError | null {
  return refusedTo(request) ?? refusedForCost(request) ?? refusedVariables(request);
}

/** Creates the operations over the one schema. `report` is given errors that have no code. */
export function createOperations(report: ReportUnexpected, totals: Totals = totalsOf()): Operations {
  // What a closed connection has asked for is answered to nobody.
  const isGone = (owner: object) => 'destroyed' in owner && owner.destroyed === true;
  const turns = createTurns({
    costPerTurn: TURN_COST,
    maxWaiting: MAX_WAITING_FOR_TURN,
    maxWaitingPerOwner: MAX_WAITING_PER_CONNECTION,
    isGone,
  });
  const budgets = createAnswerBudgets(totals.answerBytes, turns, isGone);

  /** Executes with a budget, in a turn of the loop where that is not cheap. Nothing is held once it has an answer. */
  async function executeWithin(request: OperationRequest, rootValue?: unknown): Promise<ExecutionResult> {
    const price = priceOf(request);
    const budget = budgets.open(price, request.owner ?? request);
    try {
      await budget.completionTurn(0);
      const result = await execute({ ...executionArgs(request, budget), rootValue });
      // The transport writes it as soon as it has it.
      await budget.textTurn();
      return told(result);
    } finally {
      budget.close();
    }
  }

  function told(result: ExecutionResult): ExecutionResult {
    if (!result.errors) return result;
    const errors = result.errors.map((error) => {
      // Without data nothing was executed, and without a path no resolver was asked: the variables or the operation's
      // name are at fault, even where a scalar stumbled over a value instead of refusing it.
      if (result.data === undefined && !error.path) {
        const message = clipEnd(error.message, MAX_MESSAGE_LENGTH);
        return recoded(error, message, { code: 'BAD_USER_INPUT', ...error.extensions });
      }
      return asFault(error, result.data === undefined ? 'BAD_USER_INPUT' : 'INTERNAL_SERVER_ERROR', report);
    });
    return { ...result, errors };
  }

  function executionArgs(request: OperationRequest, budget: AnswerBudget): ExecutionArgs {
    const { document, operationName, variableValues, contextValue } = request;
    const operation = getOperationAST(document, operationName)?.operation;
    return {
      // Introspection, which only queries can hold, has to show the batch as people see it.
      schema: operation === 'query' ? publicSchema : executedSchema,
      document,
      contextValue: {
        ...contextValue,
        owner: request.owner ?? request,
        budget,
        weigh: weighEvents(priceOf(request)),
      },
      ...(operationName != null && { operationName }),
      ...(variableValues && { variableValues }),
    };
  }

  async function copyLater(cost: number, owner: object): Promise<void> {
    // Twice, since the first one belongs to the turn in which the request was read.
    await nextTurn();
    await nextTurn();
    await takeTurn(turns, owner, cost);
  }

  return {
    ...createDocuments(publicSchema),
    copyingTurn: (bytes, owner) =>
      bytes > COPIED_AT_ONCE_BYTES ? copyLater(bytes / BYTES_PER_COST, owner) : null,
    answer: executeWithin,
    execute: async (request) => {
      const refusal = refusalOf(request);
      if (refusal) return { errors: [refusal] };
      const direct = ingestDirectly(request);
      if (direct) return told(await direct);
      const refused = absentBatch(request);
      return refused ? { errors: [refused] } : executeWithin(request);
    },
    subscribe: async (request) => {
      const refusal = refusalOf(request);
      if (refusal) return { errors: [refusal] };
      // It begins without reading what it answers later: each of its events has a budget of its own.
      const budget = budgets.open({ cost: 0, bytes: 0 }, request.owner ?? request);
      const source = await createSourceEventStream(executionArgs(request, budget)).finally(budget.close);
      if (!(Symbol.asyncIterator in source)) {
        const passing = source.errors?.map(rootCause).find(isPassing);
        if (passing) throw passing;
        return told(source);
      }
      const events = source[Symbol.asyncIterator]() as AsyncGenerator<unknown, void, undefined>;
      return withNext<ExecutionResult>(events, async () => {
        const { done, value } = await events.next();
        if (done) return { done, value: undefined };
        return { done: false, value: await executeWithin(request, value) };
      });
    },
  };
}

/** The one error for a batch variable that is null or absent, which GraphQL refuses before the contract sees it. */
function absentBatch({ document, operationName, variableValues }: OperationRequest): GraphQLError | null {
  const operation = getOperationAST(document, operationName);
  for (const { variable, type, defaultValue } of operation?.variableDefinitions ?? []) {
    if (typeName(type) !== BATCH_INPUT) continue;
    const batch = variableValues?.[variable.name.value];
    if (batch != null || (batch === undefined && defaultValue)) continue;
    const message = `$${variable.name.value} must be a batch, and is null or absent`;
    return new GraphQLError(message, {
      nodes: variable,
      extensions: { code: 'invalid_envelope' },
    });
  }
  return null;
}

function typeName(type: TypeNode): string {
  return type.kind === Kind.NAMED_TYPE ? type.name.value : typeName(type.type);
}
