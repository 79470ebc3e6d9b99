import { testBrokenPlanes } from '../suites/broken-wakeups.ts';
import { openTestPlane, testPlanesBetweenProcesses } from '../suites/remote-wakeups.ts';
import { testPlane } from '../suites/wakeups.ts';
import { describeCarriers } from './carriers.ts';

describeCarriers('a plane within its process', (carrier) => {
  testPlane(async () => openTestPlane(await carrier.fresh()));
});

describeCarriers('the planes of several processes', testPlanesBetweenProcesses);

describeCarriers('a plane whose connection fails', testBrokenPlanes);
