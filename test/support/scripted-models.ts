import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** Scripted models: one tool call, and an answer after the result of the tool. */
export interface ScriptedModels {
  readonly url: string;
  /** Returns the requested paths. */
  asked(): readonly string[];
  close(): void;
}

const ANSWER = 'There is one file here: hello.txt 👋';

/** Starts OpenAI's Responses API under `/v1` and Gemini's API under `/v1beta`, on loopback. */
export async function startScriptedModels(): Promise<ScriptedModels> {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`);
    answer(request, response).catch((error: unknown) => response.destroy(error as Error));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, asked: () => asked, close: () => void server.close() };
}

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  let text = '';
  for await (const chunk of request.setEncoding('utf8')) text += chunk;
  const path = request.url ?? '';
  if (path.startsWith('/v1/responses')) return stream(response, openAiEvents(text));
  if (path.includes(':streamGenerateContent')) return stream(response, [geminiAnswer(text)]);
  if (path.includes(':generateContent')) {
    response.setHeader('content-type', 'application/json');
    return void response.end(JSON.stringify(geminiAnswer(text)));
  }
  response.statusCode = 404;
  response.end('{}');
}

function stream(response: ServerResponse, events: readonly object[]): void {
  response.setHeader('content-type', 'text/event-stream');
  for (const event of events) {
    if ('type' in event) response.write(`event: ${event.type}\n`);
    response.write(`data: ${JSON.stringify(event)}\n\n`);
  }
  response.end();
}

function openAiEvents(request: string) {
  const { tools = [] } = JSON.parse(request) as { tools?: { name?: string }[] };
  const names = tools.map(({ name }) => name);
  const id = 'resp_1';
  const call = names.includes('exec_command')
    ? { name: 'exec_command', arguments: JSON.stringify({ cmd: 'ls' }) }
    : { name: 'shell', arguments: JSON.stringify({ command: ['ls'] }) };
  const isAnswered = request.includes('"function_call_output"');
  const item = isAnswered
    ? { type: 'message', role: 'assistant', id: 'msg_1', content: [{ type: 'output_text', text: ANSWER }] }
    : { type: 'function_call', call_id: 'call_1', id: 'fc_1', ...call };
  const usage = {
    input_tokens: 120,
    input_tokens_details: { cached_tokens: 0 },
    output_tokens: 9,
    output_tokens_details: { reasoning_tokens: 0 },
    total_tokens: 129,
  };
  return [
    { type: 'response.created', response: { id } },
    { type: 'response.output_item.done', output_index: 0, item },
    { type: 'response.completed', response: { id, usage } },
  ];
}

function geminiAnswer(request: string) {
  const part = request.includes('"functionResponse"')
    ? { text: ANSWER }
    : { functionCall: { name: 'list_directory', args: { dir_path: '.', path: '.' } } };
  return {
    candidates: [{ content: { role: 'model', parts: [part] }, finishReason: 'STOP', index: 0 }],
    usageMetadata: { promptTokenCount: 120, candidatesTokenCount: 9, totalTokenCount: 129 },
  };
}
