import { parseArgs } from 'node:util';
import { isLeft } from 'fp-ts/lib/Either.js';
import { messageOf } from '../core/error-message.ts';
import { setupTensorflow } from '../exec/setup/setup-tensorflow.ts';

/* `npm run setup:tensorflow`: makes the backend `tensorflow` ready on this machine. */

const USAGE = `npm run setup:tensorflow -- [options]
  --python <command>     Python that has TensorFlow; default: MLORA_PYTHON, the active virtual environment, python3
  --tensorflow <folder>  folder of an installed TensorFlow instead
  --package <file>       @tensorflow/tfjs-node as npm pack writes it, for machines without the npm registry
  --build                build even where npm's own download of TensorFlow works
`;

const options = (() => {
  try {
    const { values } = parseArgs({
      options: { python: { type: 'string' }, tensorflow: { type: 'string' }, package: { type: 'string' }, build: { type: 'boolean' }, help: { type: 'boolean' } },
    });
    return values;
  } catch (error) {
    process.stderr.write(`${messageOf(error)}\n${USAGE}`);
    return process.exit(2);
  }
})();

if (options.help === true) {
  process.stdout.write(USAGE);
} else {
  const done = setupTensorflow({ ...options, say: (line) => void process.stdout.write(`${line}\n`) });
  if (isLeft(done)) {
    process.stderr.write(`native TensorFlow is not ready:\n${done.left.map((problem) => `  ${problem}`).join('\n')}\n`);
    process.exitCode = 1;
  }
}
