/**
 * Code that runs in the GraphiQL page. The functions in this file are sent to the browser as source text, so
 * they may use only browser globals and one another.
 */

/** An operation that GraphiQL passes to its fetcher. */
interface Operation {
  readonly query: string;
  readonly variables?: unknown;
  readonly operationName?: string | null;
}

/** Additional information that GraphiQL passes with an operation. */
interface OperationFacts {
  readonly headers?: Readonly<Record<string, string>>;
  readonly documentAST?: {
    readonly definitions: readonly {
      readonly operation?: string;
      readonly name?: { readonly value: string };
    }[];
  };
}

interface Observer {
  next(result: unknown): void;
  complete(): void;
}

/** The observable that GraphiQL subscribes to. */
interface Followed {
  subscribe(observer: Observer): { unsubscribe(): void };
}

interface Result {
  readonly data?: Readonly<Record<string, unknown>> | null;
  readonly errors?: readonly unknown[];
}

/** The state of GraphiQL's tabs, as reported to `onTabChange`. */
interface Tabs {
  readonly tabs: readonly { readonly query: string | null }[];
  readonly activeTabIndex: number;
}

declare const document: { querySelector(selector: string): { click(): void } | null };

/**
 * Creates the functions with which GraphiQL runs operations. A query or mutation is one request. A
 * subscription uses server-sent events and shows all results so far as lists, not only the last one. It stops
 * when its tab is left and restarts, history first, when its tab is selected again.
 */
export function createFetcher(url: string): {
  fetcher(operation: Operation, facts?: OperationFacts): unknown;
  onTabChange(state: Tabs): void;
} {
  /** Subscriptions that stopped because their tab was left, by document text. */
  const left = new Set<string>();
  let stopping: string | null = null;
  let again: ReturnType<typeof setTimeout> | undefined;
  return {
    fetcher: (operation, facts = {}) => {
      const { query } = operation;
      if (!isSubscription(operation, facts)) return answerOf(url, operation, facts.headers);
      const followed: Followed = {
        subscribe: (observer) => {
          left.delete(query);
          const stop = follow(url, operation, facts.headers, observer);
          return {
            unsubscribe: () => {
              stop();
              // GraphiQL reports a tab change in the same event-loop turn in which it stops running
              // operations.
              stopping = query;
              queueMicrotask(() => (stopping = null));
            },
          };
        },
      };
      return followed;
    },
    onTabChange: ({ tabs, activeTabIndex }) => {
      clearTimeout(again);
      if (stopping !== null) left.add(stopping);
      for (const query of left) if (!tabs.some((tab) => tab.query === query)) left.delete(query);
      const chosen = tabs[activeTabIndex]?.query;
      if (typeof chosen !== 'string' || !left.has(chosen)) return;
      // The editor needs this long to parse the operation of the selected tab.
      again = setTimeout(() => document.querySelector('.graphiql-execute-button')?.click(), 300);
    },
  };
}

function isSubscription({ operationName }: Operation, { documentAST }: OperationFacts): boolean {
  const operations = (documentAST?.definitions ?? []).filter(({ operation }) => operation !== undefined);
  const named = operations.find(({ name }) => name !== undefined && name.value === operationName);
  return (named ?? operations[0])?.operation === 'subscription';
}

function post(
  url: string,
  operation: Operation,
  headers: Readonly<Record<string, string>> | undefined,
  accept: string,
  signal?: AbortSignal,
): Promise<Response> {
  return fetch(url, {
    method: 'POST',
    headers: { ...headers, 'content-type': 'application/json', accept },
    body: JSON.stringify(operation),
    ...(signal && { signal }),
  });
}

function problem(message: string): Result {
  return { errors: [{ message }] };
}

async function readAnswer(response: Response): Promise<unknown> {
  try {
    return await response.json();
  } catch {
    return problem(
      `HTTP ${response.status}: the response is not JSON. A proxy between this page and the server may have sent it.`,
    );
  }
}

async function answerOf(
  url: string,
  operation: Operation,
  headers: Readonly<Record<string, string>> | undefined,
): Promise<unknown> {
  let response: Response;
  try {
    response = await post(url, operation, headers, 'application/json');
  } catch {
    return problem(`No response from ${url}: check that the server is running and reachable from this page.`);
  }
  return readAnswer(response);
}

/** Collects the results of a subscription for display: the newest 1,000, and at most a million characters. */
export function createShown(): { add(result: Result): void; show(state: string): unknown } {
  const mostResults = 1_000;
  const mostCharacters = 1_000_000;
  const kept: { readonly result: Result; readonly characters: number }[] = [];
  let count = 0;
  let characters = 0;
  return {
    add: (result) => {
      const size = JSON.stringify(result).length;
      kept.push({ result, characters: size });
      count += 1;
      characters += size;
      while (kept.length > mostResults || (characters > mostCharacters && kept.length > 1)) {
        characters -= kept.shift()?.characters ?? 0;
      }
    },
    show: (state) => {
      const data: Record<string, unknown[]> = {};
      const errors: unknown[] = [];
      for (const { result } of kept) {
        for (const [field, value] of Object.entries(result.data ?? {})) {
          data[field] ??= [];
          data[field].push(value);
        }
        errors.push(...(result.errors ?? []));
      }
      const results =
        kept.length < count ? `the last ${kept.length} of ${count} results` : `${count} results`;
      return { feed: `${state}, ${results}`, ...(errors.length > 0 && { errors }), data };
    },
  };
}

/** Follows a subscription over server-sent events. Returns a function that stops it. */
function follow(
  url: string,
  operation: Operation,
  headers: Readonly<Record<string, string>> | undefined,
  observer: Observer,
): () => void {
  const stopped = new AbortController();
  const shown = createShown();
  let due: ReturnType<typeof setTimeout> | undefined;
  const show = (state: string) => {
    clearTimeout(due);
    due = undefined;
    if (!stopped.signal.aborted) observer.next(shown.show(state));
  };
  const end = (state: string) => {
    show(state);
    if (!stopped.signal.aborted) observer.complete();
  };

  async function run(): Promise<void> {
    const response = await post(url, operation, headers, 'text/event-stream', stopped.signal);
    if (!response.body || !response.headers.get('content-type')?.includes('text/event-stream')) {
      const answer = await readAnswer(response);
      if (!stopped.signal.aborted) {
        observer.next(answer);
        observer.complete();
      }
      return;
    }
    show('live');
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let text = '';
    let isRefused = false;
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      text += value;
      const blocks = text.split('\n\n');
      text = blocks.pop() ?? '';
      for (const block of blocks) {
        const lines = block.split('\n');
        if (lines.includes('event: complete')) return end('complete');
        const json = lines.filter((line) => line.startsWith('data: ')).map((line) => line.slice(6));
        if (json.length === 0) continue;
        const result: Result = JSON.parse(json.join('\n'));
        // The server sends an error without data only if it will not go on.
        isRefused = result.errors !== undefined && !result.data;
        shown.add(result);
        // Draws a history of thousands of events a few times instead of thousands of times.
        due ??= setTimeout(() => show('live'), 100);
      }
    }
    end(isRefused ? 'refused; press ▶ to try again' : 'cut by the server; press ▶ to follow again');
  }

  run().catch(() => end(`cut: no response from ${url}; press ▶ to follow again`));
  return () => {
    stopped.abort();
    clearTimeout(due);
  };
}

/** Returns the functions of this file as a script. */
export function browserScript(): string {
  return [createFetcher, isSubscription, post, problem, readAnswer, answerOf, createShown, follow]
    .map(String)
    .join('\n');
}
