import { serverAudits } from 'graphql-http';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { RunningServer } from '../../src/server/server.ts';
import { startTestServer } from '../support/server.ts';

let server: RunningServer;

beforeAll(async () => {
  server = await startTestServer();
});

afterAll(() => server.close());

const audits = serverAudits({ url: () => `${server.url}/graphql` });

test('the audit suite is complete', () => {
  expect(audits).toHaveLength(61);
});

for (const audit of audits) {
  test(`GraphQL over HTTP ${audit.id}: ${audit.name}`, async () => {
    const result = await audit.fn();
    expect(result.status, 'reason' in result ? result.reason : '').toBe('ok');
  });
}
