import { renderGraphiQL } from '@graphql-yoga/render-graphiql';
import { browserScript } from './graphiql-browser.ts';
import { tourTabs } from './graphiql-tour.ts';

const LOGO =
  '<svg viewBox="0 0 32 32" width="28" height="28" fill="none" stroke="currentColor" stroke-width="3" stroke-linecap="round">' +
  '<path d="M4 8h14M4 16h24M4 24h9"/><circle cx="25" cy="8" r="2.5" fill="currentColor" stroke="none"/></svg>';

const STYLE = `<style>
/* GraphiQL's tabs can be dragged, and the library behind that leaves them shifted aside as soon as one is focused: the tab
   slides away under the mouse before the click arrives (seen in Chromium 156). Choosing a tab matters more. */
.graphiql-tab { transform: none !important; }
</style>`;

/** Where the page that Yoga renders starts GraphiQL: what comes after the opening bracket are its arguments. */
const START = 'YogaGraphiQL.renderYogaGraphiQL(';

const pages = new Map<string | null, string>();

/**
 * The GraphiQL page, whole: nothing of it comes from another host.
 *
 * @param demoRunId - The run of the demo whose server this is, which the tabs then follow; null on any other server.
 */
export function graphiqlPage(demoRunId: string | null): string {
  const made = pages.get(demoRunId);
  if (made !== undefined) return made;
  const page = renderPage(demoRunId);
  pages.set(demoRunId, page);
  return page;
}

function renderPage(demoRunId: string | null): string {
  const favicon = `data:image/svg+xml,${encodeURIComponent(LOGO.replace('<svg', '<svg xmlns="http://www.w3.org/2000/svg"').replaceAll('currentColor', '#7b3fe4'))}`;
  const page = renderGraphiQL({ title: 'runfeed', favicon });
  const start = page.lastIndexOf(START);
  const end = page.indexOf('</script>', start);
  if (start < 0 || end < 0) throw new Error('the GraphiQL page of @graphql-yoga/render-graphiql has changed');
  const options = { title: 'runfeed', logo: LOGO, defaultTabs: tourTabs(demoRunId) };
  const script = `${browserScript()}
        YogaGraphiQL.renderYogaGraphiQL(document.querySelector('#root'), {
          ...${JSON.stringify(options).replaceAll('<', '\\u003c')},
          ...createFetcher(new URL('/graphql', location.href).href),
        });
      `;
  return (page.slice(0, start) + script + page.slice(end)).replace('</head>', () => `${STYLE}</head>`);
}
