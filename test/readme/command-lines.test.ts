import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { releaseAfterwards } from '../support/releases.ts';
import { post } from '../support/request.ts';
import { PACKAGE_FOLDER } from '../support/runfeed-process.ts';
import { startTestServer } from '../support/server.ts';

/** The output of each runtime's command for a minimal run, as lines. */
const STREAMS = {
  goose: [
    '{"type":"message","message":{"id":"m","role":"assistant","created":1,"content":[{"type":"text","text":"done"}],"metadata":{"userVisible":true,"agentVisible":true}}}',
    '{"type":"complete","total_tokens":1}',
  ],
  claude: [
    '{"type":"system","subtype":"init","session_id":"s","model":"m"}',
    '{"type":"assistant","message":{"id":"m","role":"assistant","content":[{"type":"text","text":"done"}]},"session_id":"s"}',
    '{"type":"result","subtype":"success","is_error":false,"result":"done","session_id":"s"}',
  ],
  '@openai/codex': [
    '{"type":"thread.started","thread_id":"t"}',
    '{"type":"item.completed","item":{"id":"item_0","type":"agent_message","text":"done"}}',
    '{"type":"turn.completed","usage":{"input_tokens":1,"cached_input_tokens":0,"output_tokens":1}}',
  ],
  '@google/gemini-cli': [
    '{"type":"init","session_id":"s","model":"m","timestamp":"2026-01-01T00:00:00.000Z"}',
    '{"type":"message","role":"assistant","content":"done","delta":true,"timestamp":"2026-01-01T00:00:00.000Z"}',
    '{"type":"result","status":"success","timestamp":"2026-01-01T00:00:00.000Z"}',
  ],
} as const;

const PAGE = readFileSync(join(PACKAGE_FOLDER, 'docs/pipe.md'), 'utf8');

/** The command lines of the documentation. */
const LINES = [...PAGE.matchAll(/^.*runfeed pipe --run R -- .*$/gm)]
  .map(([line]) => line)
  .filter((line) => line.includes('PROMPT'));

const nameOf = (line: string) =>
  Object.keys(STREAMS).find((name) => line.includes(`-- ${name} `) || line.includes(` ${name} `));

let folder: string;
let url: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'runfeed-command-lines-'));
  const program = async (name: string, script: string) => {
    await writeFile(join(folder, name), script);
    await chmod(join(folder, name), 0o755);
  };
  const prints = (lines: readonly string[]) => `cat <<'END'\n${lines.join('\n')}\nEND\n`;
  await program(
    'runfeed',
    `#!/bin/sh\nexec ${process.execPath} ${join(PACKAGE_FOLDER, 'dist/cli/main.js')} "$@"\n`,
  );
  await program('goose', `#!/bin/sh\n${prints(STREAMS.goose)}`);
  await program('claude', `#!/bin/sh\n${prints(STREAMS.claude)}`);
  await program(
    'npx',
    `#!/bin/sh\ncase "$1" in\n@openai/codex)\n${prints(STREAMS['@openai/codex'])};;\n*)\n${prints(STREAMS['@google/gemini-cli'])};;\nesac\n`,
  );
  const server = await startTestServer();
  releaseAfterwards(() => server.close());
  url = server.url;
});

afterAll(() => rm(folder, { recursive: true, force: true }));

describe('the documented command lines', () => {
  test('report a run without an agent', async () => {
    const script = /^printf [\s\S]*?(?=^```$)/m.exec(PAGE)?.[0] ?? '';
    const env = { PATH: `${folder}:${process.env.PATH}`, RUNFEED_URL: url, TMPDIR: folder };
    const { stderr } = await promisify(execFile)('sh', ['-c', script], { env });
    expect(stderr).toBe('');
    const query = '{ run(id: "try") { events(first: 9) { nodes { kind } } terminal { data } } }';
    const { body } = await post(`${url}/graphql`, query);
    expect(body.data?.run).toMatchObject({
      events: {
        nodes: [{ kind: 'runtime_started' }, { kind: 'assistant_text' }, { kind: 'runtime_terminal' }],
      },
      terminal: { data: { outcome: 'completed' } },
    });
  });

  test('cover each runtime that has a command', () => {
    expect(LINES.map(nameOf)).toEqual(Object.keys(STREAMS));
  });

  test.each(LINES.map((line, index) => [nameOf(line), line, index] as const))(
    'report a run of %s from its start to its end',
    async (_name, line, index) => {
      const runId = `readme-${index}`;
      const script = line.replace('--run R', `--run ${runId}`);
      const PATH = `${folder}:${process.env.PATH}`;
      const env = { PATH, RUNFEED_URL: url, TMPDIR: folder };
      // Rejects unless the command exits with 0.
      const { stderr } = await promisify(execFile)('sh', ['-c', script], { env });
      expect(stderr).toBe('');
      const query =
        'query ($id: ID!) { run(id: $id) { terminal { data } events(first: 50) { nodes { kind data } } } }';
      const { body } = await post(`${url}/graphql`, query, { id: runId });
      const { run } = body.data as unknown as {
        run: { terminal: { data: unknown }; events: { nodes: { kind: string; data: { text?: string } }[] } };
      };
      expect(run.events.nodes[0]?.kind).toBe('runtime_started');
      expect(run.events.nodes.map(({ data }) => data.text ?? '').join('')).toBe('done');
      expect(run.terminal.data).toMatchObject({ outcome: 'completed' });
    },
  );
});
