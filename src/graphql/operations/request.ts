import type { DocumentNode } from 'graphql';
import type { AskedContext } from '../context.ts';

/** One operation that a client requests. */
export interface OperationRequest {
  readonly document: DocumentNode;
  readonly operationName?: string | null | undefined;
  readonly variableValues?: Readonly<Record<string, unknown>> | null | undefined;
  readonly contextValue: AskedContext;
  /** The size of the request in bytes. Absent for short requests. */
  readonly bytes?: number | undefined;
  /** The client, such as a socket, with its own place in the queue for turns. Defaults to this request. */
  readonly owner?: object | undefined;
}
