// Opens the store at the URL in its argument, prints the result, and holds the store until killed or stdin
// ends.
import { openStore } from '../../../src/store/open.ts';

const [url = ''] = process.argv.slice(2);
try {
  const store = await openStore(url);
  console.log('opened');
  process.stdin.resume().once('end', () => void store.close());
} catch (error) {
  console.log(error instanceof Error ? error.message : String(error));
}
