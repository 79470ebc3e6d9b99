import { expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { createReporter } from '../../src/client/report/reporter.ts';
import { streamRun } from '../../src/client/stream/run.ts';
import { releaseAfterwards } from '../support/releases.ts';
import { newRun } from '../support/runs.ts';
import { startTestServer } from '../support/server.ts';

test('streamRun yields the state of the run after each event', async () => {
  const server = await startTestServer();
  releaseAfterwards(() => server.close());
  const runId = await newRun(server.graphql);
  const reporter = createReporter({ runId, url: server.graphql });
  await reporter.report({ kind: 'assistant_text', data: { text: 'Let me ' } });
  await reporter.report({ kind: 'tool_request', data: { toolId: 'a', name: 'shell' } });
  await reporter.report({ kind: 'tool_response', data: { toolId: 'a', output: 'done' } });
  await reporter.report({ kind: 'assistant_text', data: { text: 'see.' } });
  await reporter.report({ kind: 'runtime_terminal', data: { outcome: 'completed' } });
  await reporter.close();

  const steps: unknown[] = [];
  for await (const { event, view } of streamRun(runId, { url: server.graphql, webSocketImpl: WebSocket })) {
    const [call] = view.toolCalls();
    steps.push([event.seq, view.text(), call?.response ?? null, view.terminal()?.data ?? null]);
  }
  const answer = { toolId: 'a', output: 'done' };
  expect(steps).toEqual([
    [0, 'Let me ', null, null],
    [1, 'Let me ', null, null],
    [2, 'Let me ', answer, null],
    [3, 'Let me see.', answer, null],
    [4, 'Let me see.', answer, { outcome: 'completed' }],
  ]);
});
