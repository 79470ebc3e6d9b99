import { setImmediate as nextTurn } from 'node:timers/promises';
import {
  createSourceEventStream,
  type ExecutionArgs,
  type ExecutionResult,
  execute,
  GraphQLError,
  getOperationAST,
} from 'graphql';
import { type Totals, totalsOf } from '../../config/totals.ts';
import { withNext } from '../../lib/cancellable.ts';
import { createTurns } from '../../lib/waiting/turns.ts';
import { asFault, isPassing, type ReportUnexpected, recoded, rootCause } from '../errors/faults.ts';
import { openSharedFeed, type SharedFeed } from '../feed/shared.ts';
import { isBatchType } from '../ingest/batch-input.ts';
import { ingestDirectly } from '../ingest/direct.ts';
import { type AnswerBudget, createAnswerBudgets, takeTurn } from '../price/answer-budget.ts';
import {
  BYTES_PER_COST,
  COPIED_AT_ONCE_BYTES,
  MAX_WAITING_FOR_TURN,
  MAX_WAITING_PER_CONNECTION,
  TURN_COST,
} from '../price/limits.ts';
import { openSharedUpdates } from '../runs/shared-updates.ts';
import { executedSchema, publicSchema } from '../schema.ts';
import { priceOf, refusedForCost, weighEvents } from './admission.ts';
import { refusedTo } from './authorize.ts';
import { createDocuments, type Documents } from './documents.ts';
import type { OperationRequest } from './request.ts';
import { type SubscribeOptions, type Subscription, startPatiently } from './subscription.ts';
import { refusedReuse } from './variable-uses.ts';
import { refusedVariables } from './variables.ts';

/** Executes operations, identically for every transport. Results have only faults that clients may see. */
export interface Operations extends Documents {
  /**
   * Waits for a turn of the event loop that has time to copy and serialize the contents of a request of
   * `bytes` bytes, which was parsed in this turn. Returns null if the request may continue now. Rejects with
   * OVERLOADED if too many wait.
   */
  copyingTurn(bytes: number, owner: object): Promise<void> | null;
  /** Runs a query or mutation. */
  execute(request: OperationRequest): Promise<ExecutionResult>;
  /**
   * Starts a subscription, see {@link startPatiently}. Throws temporary faults. The readers and results throw
   * if the stream ends for any reason other than the end of the run; the transport handles that error.
   */
  subscribe(request: OperationRequest, options: SubscribeOptions): Promise<Subscription>;
}

/** Returns the fault if the caller's rights, the price or the variables do not allow the operation, or null. */
function refusalOf(request: OperationRequest): GraphQLError | null {
  return refusedTo(request) ?? refusedForCost(request) ?? refusedReuse(request) ?? refusedVariables(request);
}

/** Creates the operations on the schema. `report` receives errors without a code. */
export function createOperations(report: ReportUnexpected, totals: Totals = totalsOf()): Operations {
  // The answers to requests of a closed connection are not delivered.
  const isGone = (owner: object) => 'destroyed' in owner && owner.destroyed === true;
  const turns = createTurns({
    costPerTurn: TURN_COST,
    maxWaiting: MAX_WAITING_FOR_TURN,
    maxWaitingPerOwner: MAX_WAITING_PER_CONNECTION,
    isGone,
  });
  const budgets = createAnswerBudgets(totals.answerBytes, turns, isGone);

  /** Executes with a budget and, unless cheap, in its turn. Releases the budget with the answer. */
  async function executeWithin(request: OperationRequest, rootValue?: unknown): Promise<ExecutionResult> {
    const price = priceOf(request);
    const budget = budgets.open(price, request.owner ?? request);
    try {
      await budget.completionTurn(0);
      const result = await execute({ ...executionArgs(request, budget), rootValue });
      // The transport serializes the result as soon as it receives it.
      await budget.textTurn();
      return told(result);
    } finally {
      budget.close();
    }
  }

  function told(result: ExecutionResult): ExecutionResult {
    if (!result.errors) return result;
    const errors = result.errors.map((error) => {
      // Without data nothing was executed, and without a path no resolver was called: the variables or the
      // operation's name are at fault, even if a scalar threw on a value instead of refusing it.
      if (result.data === undefined && !error.path) {
        return recoded(error, error.message, { code: 'BAD_USER_INPUT', ...error.extensions });
      }
      return asFault(error, result.data === undefined ? 'BAD_USER_INPUT' : 'INTERNAL_SERVER_ERROR', report);
    });
    return { ...result, errors };
  }

  function executionArgs(request: OperationRequest, budget: AnswerBudget): ExecutionArgs {
    const { document, operationName, variableValues, contextValue } = request;
    const operation = getOperationAST(document, operationName)?.operation;
    return {
      // Introspection, which only queries can contain, must show the public type of the batch.
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

  async function openShared(request: OperationRequest): Promise<SharedFeed | null> {
    return (await openSharedFeed(request)) ?? openSharedUpdates(request, executeWithin);
  }

  async function startExecuting(request: OperationRequest): Promise<Subscription> {
    // Starting a subscription reads nothing that it returns later: each event gets its own budget.
    const budget = budgets.open({ cost: 0, bytes: 0 }, request.owner ?? request);
    const source = await createSourceEventStream(executionArgs(request, budget)).finally(budget.close);
    if (!(Symbol.asyncIterator in source)) {
      const passing = source.errors?.map(rootCause).find(isPassing);
      if (passing) throw passing;
      return { kind: 'refused', errors: told(source).errors ?? [] };
    }
    const events = source[Symbol.asyncIterator]() as AsyncGenerator<unknown, void, undefined>;
    const results = withNext<ExecutionResult>(events, async () => {
      const { done, value } = await events.next();
      if (done) return { done, value: undefined };
      return { done: false, value: await executeWithin(request, value) };
    });
    return { kind: 'results', results };
  }

  async function copyLater(cost: number, owner: object): Promise<void> {
    // Twice: the first `setImmediate` still belongs to the turn in which the request was read.
    await nextTurn();
    await nextTurn();
    await takeTurn(turns, owner, cost);
  }

  return {
    ...createDocuments(publicSchema),
    copyingTurn: (bytes, owner) =>
      bytes > COPIED_AT_ONCE_BYTES ? copyLater(bytes / BYTES_PER_COST, owner) : null,
    execute: async (request) => {
      const refusal = refusalOf(request);
      if (refusal) return { errors: [refusal] };
      const direct = ingestDirectly(request);
      if (direct) return told(await direct);
      const refused = absentBatch(request);
      return refused ? { errors: [refused] } : executeWithin(request);
    },
    subscribe: async (request, { takesShared, gone }) => {
      const refusal = refusalOf(request);
      if (refusal) return { kind: 'refused', errors: [refusal] };
      return startPatiently(async () => {
        const feed = takesShared ? await openShared(request) : null;
        return feed ? { kind: 'shared', feed } : startExecuting(request);
      }, gone);
    },
  };
}

/** Returns the error for a null or absent batch variable, which the contract never sees. */
function absentBatch({ document, operationName, variableValues }: OperationRequest): GraphQLError | null {
  const operation = getOperationAST(document, operationName);
  for (const { variable, type, defaultValue } of operation?.variableDefinitions ?? []) {
    if (!isBatchType(type)) continue;
    const batch = variableValues?.[variable.name.value];
    if (batch != null || (batch === undefined && defaultValue)) continue;
    const message = `$${variable.name.value} must be a batch, but is null or absent`;
    return new GraphQLError(message, {
      nodes: variable,
      extensions: { code: 'invalid_envelope' },
    });
  }
  return null;
}
