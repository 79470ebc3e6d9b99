/** A GraphiQL tab that is open when the page loads. */
export interface TourTab {
  readonly query: string;
  /** The variables as JSON. */
  readonly variables?: string;
  /** The headers as JSON. */
  readonly headers?: string;
}

/** The content of a tab's Headers pane when requests need a token, as JSON. */
export const TOKEN_HEADERS = JSON.stringify({ authorization: 'Bearer TOKEN' }, null, 2);

const TOKEN_HINT = `# This server requires a token. The admin token is
# the line in the file \`admin-token\` next to the
# database, or in ADMIN_TOKEN_FILE. Replace TOKEN
# with it in the Headers pane of each tab, then
# press "Re-fetch GraphQL schema". This browser keeps
# the headers until the page's storage is cleared.

`;

/**
 * Returns the tabs with an authorization header to fill in, and a note in the first tab that says where to
 * find the token.
 */
export function withToken(tabs: readonly TourTab[]): readonly TourTab[] {
  return tabs.map((tab, index) => ({
    ...tab,
    headers: TOKEN_HEADERS,
    query: index === 0 ? TOKEN_HINT + tab.query : tab.query,
  }));
}

/** An operation and the comment lines above it. 51 characters per line fit into a window of 1,280 pixels. */
interface Stop {
  readonly words: readonly string[];
  readonly operation: string;
  readonly variables?: unknown;
}

/**
 * Returns GraphiQL's tabs in the order in which a newcomer needs them. On a demo's server they first follow
 * the demo's run; on any other server they create their own run.
 *
 * @param demoRunId - The id of the demo's run, which has a job. Null on any other server.
 */
export function tourTabs(demoRunId: string | null): readonly TourTab[] {
  const byHand = [createRun, ingest, endRun];
  const stops =
    demoRunId === null
      ? [
          createRun,
          followAfterCreate,
          ingest,
          followBatches('hello-2'),
          runs('hello-2'),
          endRun,
          startJob,
          watchJob('job-1'),
          stopJob('job-1'),
        ]
      : [
          followDemo(demoRunId),
          watchJob(demoRunId),
          followBatches(demoRunId),
          runs(demoRunId),
          stopJob(demoRunId),
          ...byHand,
        ];
  return stops.map(({ words, operation, variables }, index) => {
    const [first, ...more] = words;
    const comment = [`# ${index + 1}. ${first}`, ...more.map((line) => `#    ${line}`)];
    return {
      query: `${comment.join('\n')}\n${operation}\n`,
      ...(variables !== undefined && { variables: JSON.stringify(variables, null, 2) }),
    };
  });
}

const createRun: Stop = {
  words: ['Create a run: press ▶ or Ctrl-Enter.', 'Repeating the same input returns the same run.'],
  operation: `mutation CreateRun {
  createRun(
    input: {
      id: "hello-2"
      provider: openai
      title: "My first run"
    }
  ) {
    __typename
    ... on CreateRunSuccess {
      created
      run { id runtime nextSeq }
    }
    ... on Error { code message }
  }
}`,
};

const followOperation = (runId: string) => `subscription Follow {
  runEvents(runId: "${runId}") { seq tMs kind data }
}`;

const followAfterCreate: Stop = {
  words: ['Follow the run: press ▶, open the next tab,', 'and come back: the events have arrived.'],
  operation: followOperation('hello-2'),
};

const followDemo = (runId: string): Stop => ({
  words: ['Follow the demo: press ▶. Its history arrives', 'first, then each event as the agent sends it.'],
  operation: followOperation(runId),
});

const ingest: Stop = {
  words: [
    'Append a batch, as a runner does: press ▶,',
    'then look at Follow. Repeating the batch also',
    'succeeds: its events count as duplicates.',
  ],
  operation: `mutation Ingest($batch: RunnerEventBatchInput!) {
  ingestEvents(batch: $batch) {
    __typename
    ... on IngestEventsSuccess {
      accepted
      duplicates
      lastSeq
    }
    ... on BatchRejected {
      code
      message
      eventIndex
      expectedSeq
    }
  }
}`,
  variables: {
    batch: {
      v: 1,
      runId: 'hello-2',
      events: [
        { seq: 0, tMs: 1000, kind: 'runtime_started', data: { runtime: 'by hand' } },
        { seq: 1, tMs: 1200, kind: 'assistant_text', data: { text: 'Hello, ' } },
        { seq: 2, tMs: 1300, kind: 'assistant_text', data: { text: 'world!' } },
      ],
    },
  },
};

const followBatches = (runId: string): Stop => ({
  words: ['The same feed in batches, after event 0, and', 'only events of the listed kinds.'],
  operation: `subscription FollowBatches {
  runEventBatches(
    runId: "${runId}"
    after: 0
    kinds: [
      assistant_text
      tool_request
      tool_response
    ]
  ) {
    events { seq kind data }
    cursor
    caughtUp
    ended
  }
}`,
});

const runs = (runId: string): Stop => ({
  words: ['List the newest runs and the last events', 'of one.'],
  operation: `query Runs {
  runs(first: 10) {
    nodes { id title lastSeq eventCount ended }
    pageInfo { hasNextPage endCursor }
  }
  run(id: "${runId}") {
    events(last: 5) {
      nodes { seq kind data committedAt }
    }
  }
}`,
});

const endRun: Stop = {
  words: ['End a run whose runner does not end it.', 'Every subscriber sees the end.'],
  operation: `mutation EndRun {
  endRun(
    input: { runId: "hello-2", reason: "enough" }
  ) {
    __typename
    ... on EndRunSuccess {
      alreadyEnded
      run { ended terminal { seq data } }
    }
    ... on Error { code message }
  }
}`,
};

const startJob: Stop = {
  words: [
    "Start a job: the demo's runner plays a short",
    'story into its own run. Another run id starts',
    'another job.',
  ],
  operation: `mutation StartJob {
  startJob(
    input: {
      runId: "job-1"
      provider: openai
      runner: "demo"
    }
  ) {
    __typename
    ... on StartJobSuccess {
      created
      job { status substrate }
    }
    ... on Error { code message }
  }
}`,
};

const watchJob = (runId: string): Stop => ({
  words: ['Watch the job until its end. Its events arrive', `with runEvents(runId: "${runId}").`],
  operation: `subscription WatchJob {
  jobUpdated(runId: "${runId}") {
    status
    startedAt
    endedAt
    exitCode
    terminalErrorClass
    resourceStats { cpuPercent memoryMb }
  }
}`,
});

const stopJob = (runId: string): Stop => ({
  words: [
    'Stop the job. It has two seconds to end on its',
    'own, then it is killed. The answer shows what',
    'it printed.',
  ],
  operation: `mutation StopJob {
  stopJob(
    input: { runId: "${runId}", graceMs: 2000 }
  ) {
    __typename
    ... on StopJobSuccess {
      job { status logs(lines: 10) }
    }
    ... on Error { code message }
  }
}`,
});
