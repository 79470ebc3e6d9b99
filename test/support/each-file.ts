import { afterAll } from 'vitest';
import { releaseFile } from './releases.ts';

// Vitest runs this before each file, so that it is registered first and runs last: it runs these hooks newest first.
afterAll(releaseFile);
