import { createHash } from 'node:crypto';
import type { OutgoingHttpHeaders } from 'node:http';
import { browserScript } from './browser.ts';
import { TOKEN_HEADERS, tourTabs, withToken } from './tour.ts';

const LOGO =
  '<svg viewBox="0 0 32 32" width="28" height="28" fill="none" stroke="currentColor" stroke-width="3" stroke-linecap="round">' +
  '<path d="M4 8h14M4 16h24M4 24h9"/><circle cx="25" cy="8" r="2.5" fill="currentColor" stroke="none"/></svg>';

const FAVICON = `data:image/svg+xml,${encodeURIComponent(LOGO.replace('<svg', '<svg xmlns="http://www.w3.org/2000/svg"').replaceAll('currentColor', '#7b3fe4'))}`;

const STYLE = `<style>
/* GraphiQL's drag-and-drop library shifts the tabs as soon as one is focused, so that the tab slides away under
   the mouse before the click arrives (seen in Chromium 156). Selecting a tab matters more than dragging it. */
.graphiql-tab { transform: none !important; }
/* GraphiQL places all panes side by side at any width. In a narrow window they are stacked, and scrolled if need be. */
@media (max-width: 900px) {
  .graphiql-container .graphiql-main { flex-direction: column; overflow-y: auto; }
  .graphiql-container .graphiql-plugin { min-height: 300px; }
  .graphiql-container .graphiql-sessions { min-height: 600px; }
  #graphiql-session { flex-direction: column; }
  .graphiql-container .graphiql-horizontal-drag-bar { display: none; }
}
@media (max-width: 600px) {
  .graphiql-container:has(> .graphiql-sidebar) { flex-direction: column; }
  .graphiql-container .graphiql-sidebar { flex-direction: row; width: auto; }
  .graphiql-container .graphiql-main { min-height: 0; }
  .graphiql-container .graphiql-sessions { margin: 0; }
  .graphiql-container .graphiql-logo span { display: none; }
}
</style>`;

/**
 * The call that starts GraphiQL in the page that Yoga renders. Its arguments follow the opening parenthesis.
 */
const START = 'YogaGraphiQL.renderYogaGraphiQL(';

/** The settings of the GraphiQL page. */
export interface GraphiqlOptions {
  /** The run that the tabs follow on a demo's server. Null on any other server. */
  readonly demoRunId: string | null;
  /** True if requests need a token. The tabs then have a header for it. */
  readonly needsToken: boolean;
}

/** The GraphiQL page and its response headers. */
export interface GraphiqlPage {
  /**
   * The encoded page, shared by all responses: encoding 9 MB takes milliseconds and as much memory each time.
   */
  readonly body: Buffer;
  readonly headers: OutgoingHttpHeaders;
}

/**
 * A page contains 9 MB of script and takes about 200 ms to render. Each variant is rendered at its first
 * request, once per process.
 */
const pages = new Map<string, Promise<GraphiqlPage>>();

/** Returns the GraphiQL page. It is self-contained: the browser loads nothing from another host. */
export function graphiqlPage(options: GraphiqlOptions): Promise<GraphiqlPage> {
  const key = JSON.stringify([options.demoRunId, options.needsToken]);
  const made = pages.get(key);
  if (made !== undefined) return made;
  const page = renderPage(options);
  pages.set(key, page);
  return page;
}

async function renderPage(options: GraphiqlOptions): Promise<GraphiqlPage> {
  const { renderGraphiQL } = await import('@graphql-yoga/render-graphiql');
  const page = renderGraphiQL({ title: 'runfeed', favicon: FAVICON });
  const html = withOptions(page, options);
  const body = Buffer.from(html);
  return { body, headers: { ...headersFor(html), 'content-length': body.length } };
}

/** Returns the page with this server's tabs, logo and fetcher. */
function withOptions(page: string, { demoRunId, needsToken }: GraphiqlOptions): string {
  const start = page.lastIndexOf(START);
  const end = page.indexOf('</script>', start);
  if (start < 0 || end < 0)
    throw new Error('unexpected page from @graphql-yoga/render-graphiql: adapt withOptions to its version');
  const tabs = tourTabs(demoRunId);
  const options = {
    title: 'runfeed',
    logo: LOGO,
    defaultTabs: needsToken ? withToken(tabs) : tabs,
    ...(needsToken && { defaultHeaders: TOKEN_HEADERS }),
  };
  const script = `${browserScript()}
        YogaGraphiQL.renderYogaGraphiQL(document.querySelector('#root'), {
          ...${JSON.stringify(options).replaceAll('<', '\\u003c')},
          ...createFetcher(new URL('/graphql', location.href).href),
        });
      `;
  return (page.slice(0, start) + script + page.slice(end)).replace('</head>', () => `${STYLE}</head>`);
}

/**
 * Allows the page's own script by its hash, blob workers (for the editor) and inline styles (the editor
 * creates style elements). Refuses everything else: embedding in frames, other hosts, and injected scripts.
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
