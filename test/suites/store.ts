import type { TestDatabase } from '../support/databases.ts';
import { testClosing } from './store-closing.ts';
import { testCommits } from './store-commits.ts';
import { testData } from './store-data.ts';
import { testJobs } from './store-jobs.ts';
import { testLists } from './store-lists.ts';
import { testNativeRuns } from './store-native-runs.ts';
import { testPages } from './store-pages.ts';
import { testRemoval } from './store-removal.ts';
import { testRuns } from './store-runs.ts';

/** Tests that apply to every store, whichever database it uses. */
export function testStore(database: TestDatabase): void {
  testRuns(database);
  testCommits(database);
  testPages(database);
  testData(database);
  testRemoval(database);
  testJobs(database);
  testLists(database);
  testNativeRuns(database);
  testClosing(database);
}
