import { type StreamOptions, streamEvents } from './events.ts';
import type { StreamedEvent } from './feed.ts';
import { createRunView, type RunView, type RunViewOptions } from './view.ts';

/** An event and the run's state after it. All steps share the same view object. */
export interface RunStep {
  readonly event: StreamedEvent;
  readonly view: RunView;
}

/**
 * Follows a run like `streamEvents`, with a view that has, after each event, the text so far and the tool
 * calls paired with their answers. Ends after the terminal event and throws what `streamEvents` throws.
 */
export async function* streamRun(
  runId: string,
  options: StreamOptions & RunViewOptions,
): AsyncGenerator<RunStep, void, undefined> {
  const view = createRunView(options);
  for await (const event of streamEvents(runId, options)) yield { event, view: view.apply(event) };
}
