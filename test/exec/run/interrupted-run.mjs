// A coordinator process of its own, so that tests can interrupt or kill it: runs the options serialized in a file and
// prints every event, and how it ended, as one JSON line each.
import { readFile } from 'node:fs/promises';
import { deserialize } from 'node:v8';
import { train } from '../../../dist/exec/run/train.js';

const print = (value) => console.log(JSON.stringify(value));
const options = deserialize(await readFile(process.argv[2]));
const result = await train({ ...options, onProgress: print })();
print(result._tag === 'Left' ? { kind: 'ended', error: result.left } : { kind: 'ended', error: null });
