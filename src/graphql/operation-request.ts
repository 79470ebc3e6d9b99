import type { DocumentNode } from 'graphql';
import type { AskedContext } from './context.ts';

/** One operation that a client asks for. */
export interface OperationRequest {
  readonly document: DocumentNode;
  readonly operationName?: string | null | undefined;
  readonly variableValues?: Readonly<Record<string, unknown>> | null | undefined;
  readonly contextValue: AskedContext;
  /** How long the request was. Absent: short. */
  readonly bytes?: number | undefined;
  /** Who shares turns of the event loop with itself alone, such as a socket. Absent: this request. */
  readonly owner?: object | undefined;
}
