import { describe, expect, test } from 'vitest';
import { commandEnvironment } from '../../src/config/runner-env.ts';

describe('the environment of a command that a runner starts', () => {
  test('is the runner’s own plus the added variables, without the tokens', () => {
    const own = {
      PATH: '/bin',
      RUNFEED_RUN_ID: 'r',
      RUNFEED_RUNNER_TOKEN: 'a',
      RUNFEED_TOKEN: 'b',
      KEY: 'old',
    };
    expect(commandEnvironment({ KEY: 'new' }, own)).toEqual({
      PATH: '/bin',
      RUNFEED_RUN_ID: 'r',
      KEY: 'new',
    });
  });
});
