import { createHash } from 'node:crypto';
import type { OutgoingHttpHeaders } from 'node:http';
import { renderGraphiQL } from '@graphql-yoga/render-graphiql';

const TABS = [
  {
    query: `# 1. Make a run. Asking again answers the same run.
mutation CreateRun {
  createRun(input: { id: "hello", provider: openai, title: "My first run" }) {
    __typename
    ... on CreateRunSuccess { created run { id runtime nextSeq } }
    ... on Error { code message }
  }
}
`,
  },
  {
    query: `# 2. Follow it: what is there already, then live. Leave this running and go to the next tab.
subscription Follow {
  runEvents(runId: "hello") { seq tMs kind data }
}
`,
  },
  {
    query: `# 3. Append a batch, as a runner does. Sending the same again is a success, too.
mutation Ingest($batch: RunnerEventBatchInput!) {
  ingestEvents(batch: $batch) {
    __typename
    ... on IngestEventsSuccess { accepted duplicates lastSeq }
    ... on BatchRejected { code message eventIndex expectedSeq }
  }
}
`,
    variables: JSON.stringify(
      {
        batch: {
          v: 1,
          runId: 'hello',
          events: [
            {
              seq: 0,
              tMs: 1000,
              kind: 'runtime_started',
              data: { runtime: 'by hand' },
            },
            {
              seq: 1,
              tMs: 1200,
              kind: 'assistant_text',
              data: { text: 'Hello, ' },
            },
            {
              seq: 2,
              tMs: 1300,
              kind: 'assistant_text',
              data: { text: 'world!' },
            },
          ],
        },
      },
      null,
      2,
    ),
  },
  {
    query: `# 4. The same feed in batches, from a cursor, without the text.
subscription FollowBatches {
  runEventBatches(runId: "hello", after: 0, kinds: [tool_request, tool_response]) {
    events { seq kind data }
    cursor
    caughtUp
    ended
  }
}
`,
  },
  {
    query: `# 5. What is there.
query Runs {
  runs(first: 10, filter: { ended: false }) {
    nodes { id provider title lastSeq eventCount ended }
    pageInfo { hasNextPage endCursor }
  }
  run(id: "hello") {
    events(last: 5) { nodes { seq kind data committedAt } }
  }
}
`,
  },
  {
    query: `# 6. End a run that nobody else will end: everybody who follows it sees the end.
mutation EndRun {
  endRun(input: { runId: "hello", reason: "enough" }) {
    __typename
    ... on EndRunSuccess { alreadyEnded run { ended terminal { seq data } } }
    ... on Error { code message }
  }
}
`,
  },
  {
    query: `# 7. Start a job: the demo's runner plays a short transcript into a run of its own. Another run id, another job.
mutation StartJob {
  startJob(input: { runId: "job-1", provider: openai, runner: "demo" }) {
    __typename
    ... on StartJobSuccess { created job { status substrate } }
    ... on Error { code message }
  }
}
`,
  },
  {
    query: `# 8. Watch the job until its end; its events come by runEvents as any run's do.
subscription WatchJob {
  jobUpdated(runId: "job-1") {
    status
    startedAt
    endedAt
    exitCode
    terminalErrorClass
    resourceStats { cpuPercent memoryMb }
  }
}
`,
  },
  {
    query: `# 9. Stop it: it has two seconds to end by itself. Then see what it printed.
mutation StopJob {
  stopJob(input: { runId: "job-1", graceMs: 2000 }) {
    __typename
    ... on StopJobSuccess { job { status logs(lines: 10) } }
    ... on Error { code message }
  }
}
`,
  },
];

/**
 * GraphiQL's tabs can be dragged, and the library behind that leaves them shifted aside as soon as one is focused: the
 * tab slides away under the mouse before the click arrives (seen in Chromium 156). Choosing a tab matters more.
 */
const TABS_STAY_PUT = '<style>.graphiql-tab { transform: none !important; }</style>';

/** The first words of the first tab, where a token is needed. */
const TOKEN_HINT = `# This server answers nothing without a token. Replace TOKEN in the Headers pane below, in every tab, by the
# admin token: the line in the file \`admin-token\` next to the database, or in ADMIN_TOKEN_FILE. Then press the button
# "Re-fetch GraphQL schema". Browsers keep the headers of this page until its storage is cleared.

`;

const TOKEN_HEADERS = JSON.stringify({ authorization: 'Bearer TOKEN' }, null, 2);

/** The GraphiQL page and the headers that it is answered with. */
export interface GraphiqlPage {
  readonly body: string;
  readonly headers: OutgoingHttpHeaders;
}

/** A page takes some 50 ms to make: it is made once in a process, however many servers it has. */
const made = new Map<boolean, GraphiqlPage>();

/**
 * The GraphiQL page, whole: nothing of it comes from another host. Where requests need a token, subscriptions come over
 * server-sent events, which carry the headers of the Headers pane; GraphiQL cannot pass them on a websocket.
 */
export function graphiqlPage(needsToken: boolean): GraphiqlPage {
  const page = made.get(needsToken) ?? makePage(needsToken);
  made.set(needsToken, page);
  return page;
}

function makePage(needsToken: boolean): GraphiqlPage {
  const html = renderGraphiQL({
    title: 'runfeed',
    endpoint: '/graphql',
    subscriptionsProtocol: needsToken ? 'SSE' : 'WS',
    defaultTabs: needsToken ? withToken(TABS) : TABS,
    ...(needsToken && { headers: TOKEN_HEADERS }),
  });
  const body = html.replace('</head>', `${TABS_STAY_PUT}</head>`);
  return { body, headers: headersFor(body) };
}

function withToken(tabs: typeof TABS): typeof TABS {
  return tabs.map((tab, index) => ({
    ...tab,
    headers: TOKEN_HEADERS,
    query: index === 0 ? TOKEN_HINT + tab.query : tab.query,
  }));
}

/**
 * The page's own script is allowed by its hash, its editor's workers are made of blobs, and its editor writes style
 * elements. Everything else is refused: frames around it, other hosts, and scripts that something injects.
 */
function headersFor(html: string): OutgoingHttpHeaders {
  const policy = [
    "default-src 'none'",
    `script-src ${inlineScriptHashes(html).join(' ')}`,
    'worker-src blob:',
    "style-src 'unsafe-inline'",
    'img-src data:',
    'font-src data:',
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ];
  return {
    'content-type': 'text/html; charset=utf-8',
    'content-security-policy': policy.join('; '),
    'x-frame-options': 'DENY',
    'referrer-policy': 'no-referrer',
  };
}

function inlineScriptHashes(html: string): string[] {
  return [...html.matchAll(/<script>([\s\S]*?)<\/script>/g)].map(
    ([, script = '']) => `'sha256-${createHash('sha256').update(script).digest('base64')}'`,
  );
}
