import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readConfig } from '../../src/config/env.ts';
import { readRunners } from '../../src/config/runners.ts';
import { RUN_PROVIDERS } from '../../src/contract/jobs.ts';
import { releaseAfterwards } from '../support/releases.ts';

const DIGEST = `registry.example/runner@sha256:${'a'.repeat(64)}`;
const DEMO = { substrate: 'process', command: ['node', 'runner.js'] };

function configOf(file: unknown, env: Readonly<Record<string, string>> = {}) {
  const read = readRunners(JSON.stringify(file), env);
  if (!read.ok) throw new Error(read.problems.join('; '));
  return read.config;
}

function problemsOf(file: unknown, env: Readonly<Record<string, string>> = {}): readonly string[] {
  const read = readRunners(JSON.stringify(file), env);
  return read.ok ? [] : read.problems;
}

describe('a runners file', () => {
  test('requires only a command or image and a substrate for a runner', () => {
    const { runners, ...rest } = configOf({ runners: { demo: DEMO } });
    expect(rest).toEqual({ providers: {}, mcpBase: null, substrates: {}, substrateSecrets: [] });
    expect(runners).toEqual([
      {
        name: 'demo',
        substrate: 'process',
        providers: RUN_PROVIDERS,
        image: null,
        command: ['node', 'runner.js'],
        env: {},
        secrets: {},
        regions: ['local'],
        resources: null,
        maxRunDurationMs: 3_600_000,
      },
    ]);
  });

  test('keeps the order of its runners: the first one for a provider is the default', () => {
    const { runners } = configOf({ runners: { second: DEMO, first: DEMO } });
    expect(runners.map(({ name }) => name)).toEqual(['second', 'first']);
  });

  test('is filled in with variables where a whole value is $NAME, and nowhere else', () => {
    const { runners, providers, mcpBase, substrates } = configOf(
      {
        runners: {
          demo: { ...DEMO, command: ['$SHELL_PATH', '$not a name', 'a$KEY'], secrets: { KEY: '$KEY' } },
        },
        providers: { openai: { baseUrl: '$BASE', key: '$KEY' } },
        mcpBase: '$BASE',
        substrates: { fly: { token: '$KEY', deep: [{ er: '$KEY' }] } },
      },
      { SHELL_PATH: '/bin/sh', KEY: 'secret-value', BASE: 'https://models.example' },
    );
    expect(runners[0]).toMatchObject({
      command: ['/bin/sh', '$not a name', 'a$KEY'],
      secrets: { KEY: 'secret-value' },
    });
    expect(providers).toEqual({ openai: { baseUrl: 'https://models.example', key: 'secret-value' } });
    expect(mcpBase).toBe('https://models.example');
    expect(substrates).toEqual({ fly: { token: 'secret-value', deep: [{ er: 'secret-value' }] } });
  });

  test.each([
    ['not JSON', 'not json', /^must contain JSON$/],
    ['not an object', '[]', /expected object/],
    ['without runners', '{}', /^runners /],
  ])('is refused with one line if it is %s', (_name, text, line) => {
    const read = readRunners(text, {});
    expect(read).toEqual({ ok: false, problems: [expect.stringMatching(line)] });
  });

  test.each<[string, object, RegExp]>([
    ['no substrate', { substrate: undefined }, /^runners\.demo\.substrate /],
    ['an unknown substrate', { substrate: 'hidden-value' }, /^runners\.demo\.substrate /],
    [
      'no command and no image',
      { command: undefined },
      /^runners\.demo must have either an image or a command$/,
    ],
    ['both', { image: DIGEST }, /^runners\.demo must have either an image or a command$/],
    [
      'an image without digest',
      { command: undefined, image: 'hidden-value:latest' },
      /^runners\.demo\.image must be pinned/,
    ],
    ['an empty command', { command: [] }, /^runners\.demo\.command/],
    ['no providers', { providers: [] }, /^runners\.demo\.providers /],
    ['an unknown provider', { providers: ['hidden-value'] }, /^runners\.demo\.providers\.0 /],
    ['an invalid variable name', { env: { 'A=B': 'hidden-value' } }, /^runners\.demo\.env\.A=B /],
    ['a variable that is not text', { secrets: { KEY: 5 } }, /^runners\.demo\.secrets\.KEY /],
    ['no regions', { regions: [] }, /^runners\.demo\.regions/],
    ['too many cpus', { resources: { cpus: 5_000, memoryMb: 1 } }, /^runners\.demo\.resources\.cpus /],
    ['incomplete resources', { resources: { cpus: 1 } }, /^runners\.demo\.resources\.memoryMb /],
    ['a duration that is too short', { maxRunDurationMs: 10 }, /^runners\.demo\.maxRunDurationMs /],
    ['an unknown key', { maxDuration: 'hidden-value' }, /^runners\.demo .*maxDuration/],
    [
      'a variable that is not set',
      { secrets: { KEY: '$NOT_SET' } },
      /^refers to the environment variable NOT_SET, which is not set$/,
    ],
  ])('is refused with one line, without values, if a runner has %s', (_name, change, line) => {
    const problems = problemsOf({ runners: { demo: { ...DEMO, ...change } } });
    expect(problems).toEqual([expect.stringMatching(line)]);
    expect(problems[0]).not.toContain('hidden-value');
    expect(problems[0]).not.toContain('\n');
  });

  test.each<[string, object, RegExp]>([
    [
      'an unknown provider',
      { providers: { nobody: { baseUrl: 'https://a.example', key: 'k' } } },
      /^providers .*nobody/,
    ],
    [
      'an invalid base URL',
      { providers: { openai: { baseUrl: 'hidden-value', key: 'k' } } },
      /^providers\.openai\.baseUrl /,
    ],
    [
      'a provider without a key',
      { providers: { openai: { baseUrl: 'https://a.example' } } },
      /^providers\.openai\.key /,
    ],
    ['an invalid URL of MCP servers', { mcpBase: 'hidden-value' }, /^mcpBase /],
    ['an unknown key', { runner: {} }, /runner/],
    ['an unknown substrate', { substrates: { moon: {} } }, /^substrates .*moon/],
    ['an invalid name', { runners: { 'No Name': DEMO } }, /^runners\.No Name /],
  ])('is refused with one line if it has %s', (_name, change, line) => {
    const problems = problemsOf({ runners: { demo: DEMO }, ...change });
    expect(problems).toEqual([expect.stringMatching(line)]);
    expect(problems[0]).not.toContain('hidden-value');
  });

  test('reports all mistakes at once', () => {
    const problems = problemsOf({
      runners: { a: { ...DEMO, env: { KEY: '$ONE' } }, b: { substrate: 'process' } },
      mcpBase: '$TWO',
    });
    expect(problems.join('\n')).toMatch(/ONE[\s\S]*TWO[\s\S]*runners\.b/);
  });
});

describe('a server’s configuration', () => {
  function problems(file: string | null, env: Readonly<Record<string, string>> = {}): readonly string[] {
    const folder = mkdtempSync(join(tmpdir(), 'runfeed-runners-'));
    releaseAfterwards(() => rmSync(folder, { recursive: true, force: true }));
    const path = join(folder, 'runners.json');
    if (file !== null) writeFileSync(path, file);
    const read = readConfig({ DATABASE_URL: 'file:./a.db', RUNNERS_FILE: path, ...env });
    return read.ok ? [] : read.problems;
  }
  const FLY = JSON.stringify({ runners: { far: { substrate: 'fly', image: DIGEST, regions: ['fra'] } } });

  test('names the variable of a file that is missing or invalid', () => {
    expect(problems(null)).toEqual([
      expect.stringMatching(/^RUNNERS_FILE names \S+, which cannot be read \(ENOENT\)$/),
    ]);
    expect(problems('{')).toEqual(['RUNNERS_FILE: must contain JSON']);
    expect(problems(JSON.stringify({ runners: { demo: DEMO } }))).toEqual([]);
  });

  test('requires a public address for remote runners, and shared keys on Postgres', () => {
    expect(problems(FLY)).toEqual([expect.stringMatching(/^PUBLIC_URL is required for runner far/)]);
    expect(problems(FLY, { PUBLIC_URL: 'https://feed.example' })).toEqual([]);
    const postgres = { DATABASE_URL: 'postgresql://db/runfeed' };
    expect(problems(JSON.stringify({ runners: { demo: DEMO } }), postgres)).toEqual([
      expect.stringMatching(/^SECRET_KEYS is required for runners on Postgres/),
    ]);
  });
});
