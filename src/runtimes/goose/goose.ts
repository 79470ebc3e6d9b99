import type { JsonObject } from '../../contract/events.ts';
import type { RuntimeAdapter, RuntimeAdapterOptions } from '../adapter.ts';
import { fieldsOf, numberOf, objectOf, stringOf } from '../json.ts';
import { createLineAdapter, type LineReader } from '../line-adapter.ts';
import type { Verdict } from '../outcome.ts';
import type { RunRecorder } from '../recorder.ts';
import { createBanner } from './banner.ts';
import { createGooseMessages, SILENT_ERROR } from './messages.ts';

const INTERRUPTED = 'Headless run interrupted';

/**
 * Creates an adapter for the output of `goose run --output-format stream-json`. Run Goose with
 * `GOOSE_MODE=auto`: in the approval modes it exits at the first tool call without printing anything.
 */
export function createGooseAdapter(options: RuntimeAdapterOptions = {}): RuntimeAdapter {
  return createLineAdapter(createGooseReader(options.sessionName), options);
}

function createGooseReader(sessionName: string | undefined): LineReader {
  const banner = createBanner();
  const messages = createGooseMessages();
  let interrupted: Verdict | null = null;
  let completed = false;
  let totals: JsonObject = {};

  const readComplete = (line: JsonObject): void => {
    completed = true;
    const usage = fieldsOf({
      totalTokens: numberOf(line.total_tokens),
      inputTokens: numberOf(line.input_tokens),
      outputTokens: numberOf(line.output_tokens),
      cacheReadInputTokens: numberOf(line.cache_read_input_tokens),
      cacheWriteInputTokens: numberOf(line.cache_write_input_tokens),
    });
    totals = fieldsOf({
      usage: Object.keys(usage).length > 0 ? usage : undefined,
      costUsd: numberOf(line.cost_usd),
    });
  };

  return {
    overhear: banner.overhear,
    describe: () => ({
      runtime: 'goose',
      ...fieldsOf({ sessionName }),
      ...banner.facts(),
    }),
    read(type, line, run) {
      switch (type) {
        case 'message':
          messages.read(line, run);
          break;
        case 'notification':
          readNotification(line, run);
          break;
        case 'complete':
          readComplete(line);
          break;
        case 'error': {
          const message = stringOf(line.error) ?? SILENT_ERROR;
          if (message.startsWith(INTERRUPTED)) interrupted = { outcome: 'cancelled', reason: 'interrupted' };
          else messages.fail({ outcome: 'failed', reason: 'error' });
          run.warn(message);
          break;
        }
        case 'model_change':
          run.notify('model_change', fieldsOf({ model: line.model, mode: line.mode }));
          break;
        default:
          run.notify('unknown_line', line);
      }
    },
    conclude(run) {
      const told = messages.conclude(completed, run);
      return { verdict: interrupted ?? told, data: totals };
    },
  };
}

/** Reads an extension's notification while its tool runs. `extension_id` usually is the tool call's id. */
function readNotification(line: JsonObject, run: RunRecorder): void {
  const extensionId = stringOf(line.extension_id);
  const tool = fieldsOf({
    toolId: extensionId !== undefined && run.tools.isOpen(extensionId) ? extensionId : undefined,
  });
  const log = objectOf(line.log);
  const progress = objectOf(line.progress);
  if (log !== null && progress === null) run.notify('log', { ...fieldsOf({ extensionId }), ...log }, tool);
  else if (progress !== null && log === null)
    run.notify('progress', { ...fieldsOf({ extensionId }), ...progress }, tool);
  else run.notify('unknown_line', line, tool);
}
