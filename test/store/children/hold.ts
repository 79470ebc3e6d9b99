// Opens the store that its argument names, says so or why not, and holds it until it is killed or its input ends.
import { openStore } from '../../../src/store/open.ts';

const [url = ''] = process.argv.slice(2);
try {
  const store = await openStore(url);
  console.log('opened');
  process.stdin.resume().once('end', () => void store.close());
} catch (error) {
  console.log(error instanceof Error ? error.message : String(error));
}
