import { createHash } from 'node:crypto';
import type { OutgoingHttpHeaders } from 'node:http';
import { browserScript } from './graphiql-browser.ts';
import { TOKEN_HEADERS, tourTabs, withToken } from './graphiql-tour.ts';

const LOGO =
  '<svg viewBox="0 0 32 32" width="28" height="28" fill="none" stroke="currentColor" stroke-width="3" stroke-linecap="round">' +
  '<path d="M4 8h14M4 16h24M4 24h9"/><circle cx="25" cy="8" r="2.5" fill="currentColor" stroke="none"/></svg>';

const FAVICON = `data:image/svg+xml,${encodeURIComponent(LOGO.replace('<svg', '<svg xmlns="http://www.w3.org/2000/svg"').replaceAll('currentColor', '#7b3fe4'))}`;

const STYLE = `<style>
/* GraphiQL's tabs can be dragged, and the library behind that leaves them shifted aside as soon as one is focused: the tab
   slides away under the mouse before the click arrives (seen in Chromium 156). Choosing a tab matters more. */
.graphiql-tab { transform: none !important; }
</style>`;

/** Where the page that Yoga renders starts GraphiQL: what comes after the opening bracket are its arguments. */
const START = 'YogaGraphiQL.renderYogaGraphiQL(';

/** What a server's page depends on. */
export interface GraphiqlOptions {
  /** The run of the demo whose server this is, which the tabs then follow; null on any other server. */
  readonly demoRunId: string | null;
  /** Whether requests need a token: then the tabs have a place for it. */
  readonly needsToken: boolean;
}

/** The GraphiQL page and the headers that it is answered with. */
export interface GraphiqlPage {
  /** Bytes, which all answers share: to encode 9 MB takes milliseconds and as much memory for each. */
  readonly body: Buffer;
  readonly headers: OutgoingHttpHeaders;
}

/** A page holds 9 MB of script and takes some 200 ms to make: each is made at the first request for it, once in a process. */
const pages = new Map<string, Promise<GraphiqlPage>>();

/** The GraphiQL page, whole: nothing of it comes from another host. */
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

/** The page with the tabs, the logo and the fetcher of this server. */
function withOptions(page: string, { demoRunId, needsToken }: GraphiqlOptions): string {
  const start = page.lastIndexOf(START);
  const end = page.indexOf('</script>', start);
  if (start < 0 || end < 0) throw new Error('the GraphiQL page of @graphql-yoga/render-graphiql has changed');
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
