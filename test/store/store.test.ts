import { testStore } from '../suites/store.ts';
import { describeStores } from '../support/databases.ts';

describeStores('a store', testStore);
