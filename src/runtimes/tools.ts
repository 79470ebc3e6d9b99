import type { JsonObject } from '../contract/events.ts';
import { fieldsOf } from './json.ts';

const MAX_TRACKED = 1024;
const MAX_ID_LENGTH = 512;

/** A tool call without a result. Adapters may attach a `note`. */
export interface OpenTool {
  readonly name: string;
  readonly note?: string | undefined;
}

/** The tool calls without a result, by id. Remembers at most 1,024, so that no stream can fill the memory. */
export interface ToolLedger {
  opened(toolId: string, tool: OpenTool): void;
  /** Removes and returns the call, or undefined if it is unknown. */
  answered(toolId: string): OpenTool | undefined;
  isOpen(toolId: string): boolean;
  /** Returns the calls without a result, oldest first; `openToolsUntracked` counts further ones. */
  summary(): JsonObject;
}

/** Creates an empty ledger. */
export function createToolLedger(): ToolLedger {
  const open = new Map<string, OpenTool>();
  let untracked = 0;
  return {
    opened(toolId, tool) {
      const tracked = open.has(toolId) || (open.size < MAX_TRACKED && toolId.length <= MAX_ID_LENGTH);
      if (tracked && tool.name.length <= MAX_ID_LENGTH) open.set(toolId, tool);
      else untracked += 1;
    },
    answered(toolId) {
      const tool = open.get(toolId);
      open.delete(toolId);
      return tool;
    },
    isOpen: (toolId) => open.has(toolId),
    summary: () =>
      fieldsOf({
        openTools: open.size > 0 ? [...open].map(([toolId, { name }]) => ({ toolId, name })) : undefined,
        openToolsUntracked: untracked > 0 ? untracked : undefined,
      }),
  };
}
