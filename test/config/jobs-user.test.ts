import { expect, test } from 'vitest';
import { readJobsUser } from '../../src/config/jobs-user.ts';

const passwd = 'root:x:0:0::/root:/bin/sh\nagent:x:1001:1002::/home/agent:/bin/sh\nlimits:x:900:900:::\n';
const read = (text: string, serverUid: number | undefined = 0) => readJobsUser(text, { serverUid, passwd });

test.each([
  ['agent', { kind: 'one', uid: 1_001, gid: 1_002, name: 'agent', home: '/home/agent' }],
  ['1001', { kind: 'one', uid: 1_001, gid: 1_002, name: 'agent', home: '/home/agent' }],
  ['1001:5', { kind: 'one', uid: 1_001, gid: 5, name: 'agent', home: '/home/agent' }],
  ['7:8', { kind: 'one', uid: 7, gid: 8, name: null, home: null }],
  ['limits', { kind: 'one', uid: 900, gid: 900, name: 'limits', home: null }],
  ['60000-60099', { kind: 'each', first: 60_000, last: 60_099 }],
])('JOBS_USER may be %s', (text, user) => {
  expect(read(text)).toEqual({ ok: true, user });
});

test.each(['root', '0', '0:5', '5:0', '7', 'nobody-here', '5-4', '0-9', '900-1100', '1-4294967295', '-5'])(
  'JOBS_USER may not be %s: one line says why',
  (text) => {
    expect(read(text)).toMatchObject({ ok: false, problem: expect.stringMatching(/^JOBS_USER \S.*$/) });
  },
);

test.each([1_000, undefined])('JOBS_USER is refused if the server runs as %s', (serverUid) => {
  expect(readJobsUser('agent', { serverUid, passwd })).toEqual({
    ok: false,
    problem: expect.stringMatching(/^JOBS_USER requires a server that is started as root/),
  });
});
