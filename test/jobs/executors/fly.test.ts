import { describe } from 'vitest';
import { testExecutor } from '../../suites/executor.ts';
import { openFly } from './fly-harness.ts';

describe('jobs on Fly Machines', () => {
  testExecutor(() => openFly());
});
