import { afterAll } from 'vitest';
import { releaseFile } from './releases.ts';

// Vitest runs this before each file. Hooks run newest first, so this one is registered first and runs last.
afterAll(releaseFile);
