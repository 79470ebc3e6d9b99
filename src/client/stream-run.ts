import type { StreamedEvent } from './feed.ts';
import { createRunView, type RunView, type RunViewOptions } from './run-view.ts';
import { type StreamOptions, streamEvents } from './stream-events.ts';

/** What has just come, and what the run has come to with it. The view is one and the same all along. */
export interface RunStep {
  readonly event: StreamedEvent;
  readonly view: RunView;
}

/**
 * A run as `streamEvents` follows it, folded as it goes: after each event the text so far and the tool calls, each paired
 * with its answer. Ends with the run.
 */
export async function* streamRun(
  runId: string,
  options: StreamOptions & RunViewOptions,
): AsyncGenerator<RunStep, void, undefined> {
  const view = createRunView(options);
  for await (const event of streamEvents(runId, options)) yield { event, view: view.apply(event) };
}
