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
  test('may say no more of a runner than what it runs and on what', () => {
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

  test('has variables put in wherever a whole value is $NAME, and nowhere else', () => {
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
    ['no JSON', 'not json', /^must hold JSON$/],
    ['no object', '[]', /expected object/],
    ['no runners', '{}', /^runners /],
  ])('is refused with one line when it is %s', (_name, text, line) => {
    const read = readRunners(text, {});
    expect(read).toEqual({ ok: false, problems: [expect.stringMatching(line)] });
  });

  test.each<[string, object, RegExp]>([
    ['no substrate', { substrate: undefined }, /^runners\.demo\.substrate /],
    ['a substrate that is none', { substrate: 'hidden-value' }, /^runners\.demo\.substrate /],
    [
      'no command and no image',
      { command: undefined },
      /^runners\.demo must have an image or a command, and not both$/,
    ],
    ['both', { image: DIGEST }, /^runners\.demo must have an image or a command, and not both$/],
    [
      'an image without digest',
      { command: undefined, image: 'hidden-value:latest' },
      /^runners\.demo\.image must be pinned/,
    ],
    ['an empty command', { command: [] }, /^runners\.demo\.command/],
    ['no providers', { providers: [] }, /^runners\.demo\.providers /],
    ['a provider that is none', { providers: ['hidden-value'] }, /^runners\.demo\.providers\.0 /],
    ['a variable that cannot be', { env: { 'A=B': 'hidden-value' } }, /^runners\.demo\.env\.A=B /],
    ['a variable that is no text', { secrets: { KEY: 5 } }, /^runners\.demo\.secrets\.KEY /],
    ['no regions', { regions: [] }, /^runners\.demo\.regions/],
    ['too many cpus', { resources: { cpus: 5_000, memoryMb: 1 } }, /^runners\.demo\.resources\.cpus /],
    ['half a resource', { resources: { cpus: 1 } }, /^runners\.demo\.resources\.memoryMb /],
    ['too short a time', { maxRunDurationMs: 10 }, /^runners\.demo\.maxRunDurationMs /],
    ['a key that there is not', { maxDuration: 'hidden-value' }, /^runners\.demo .*maxDuration/],
    [
      'a variable that is not set',
      { secrets: { KEY: '$NOT_SET' } },
      /^names the environment variable NOT_SET, which is not set$/,
    ],
  ])('is refused with one line, without values, when a runner has %s', (_name, change, line) => {
    const problems = problemsOf({ runners: { demo: { ...DEMO, ...change } } });
    expect(problems).toEqual([expect.stringMatching(line)]);
    expect(problems[0]).not.toContain('hidden-value');
    expect(problems[0]).not.toContain('\n');
  });

  test.each<[string, object, RegExp]>([
    [
      'a provider that is none',
      { providers: { nobody: { baseUrl: 'https://a.example', key: 'k' } } },
      /^providers .*nobody/,
    ],
    [
      'a base that is no address',
      { providers: { openai: { baseUrl: 'hidden-value', key: 'k' } } },
      /^providers\.openai\.baseUrl /,
    ],
    [
      'a provider without key',
      { providers: { openai: { baseUrl: 'https://a.example' } } },
      /^providers\.openai\.key /,
    ],
    ['MCP servers nowhere', { mcpBase: 'hidden-value' }, /^mcpBase /],
    ['another key', { runner: {} }, /runner/],
    ['a substrate that is none', { substrates: { moon: {} } }, /^substrates .*moon/],
    ['a name that is none', { runners: { 'No Name': DEMO } }, /^runners\.No Name /],
  ])('is refused with one line when it has %s', (_name, change, line) => {
    const problems = problemsOf({ runners: { demo: DEMO }, ...change });
    expect(problems).toEqual([expect.stringMatching(line)]);
    expect(problems[0]).not.toContain('hidden-value');
  });

  test('tells of every mistake at once', () => {
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

  test('names the variable of a file that is not there, or wrong', () => {
    expect(problems(null)).toEqual(['RUNNERS_FILE cannot be read: ENOENT']);
    expect(problems('{')).toEqual(['RUNNERS_FILE: must hold JSON']);
    expect(problems(JSON.stringify({ runners: { demo: DEMO } }))).toEqual([]);
  });

  test('needs an address for runners that run elsewhere, and keys for several processes', () => {
    expect(problems(FLY)).toEqual([expect.stringMatching(/^PUBLIC_URL is needed for runner far/)]);
    expect(problems(FLY, { PUBLIC_URL: 'https://feed.example' })).toEqual([]);
    const postgres = { DATABASE_URL: 'postgresql://db/runfeed' };
    expect(problems(JSON.stringify({ runners: { demo: DEMO } }), postgres)).toEqual([
      expect.stringMatching(/^SECRET_KEYS is needed for runners on Postgres/),
    ]);
  });
});
