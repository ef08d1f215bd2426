import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';

/** Version of TensorFlow.js whose native backend is used; its JavaScript side must match @tensorflow/tfjs-core. */
export const TFJS_NODE_VERSION = '4.22.0';

/** Packages that bring a native backend, the one that can use a GPU first. */
export const TFJS_NODE_PACKAGES = ['@tensorflow/tfjs-node-gpu', '@tensorflow/tfjs-node'] as const;

/** The native backend of TensorFlow.js: its JavaScript side and the binding that brings TensorFlow in. */
export interface TensorflowPackage {
  /** Folder with the package's `dist`. */
  readonly folder: string;
  /** The compiled Node-API module. */
  readonly binding: string;
  /** Version of TensorFlow and where it lies, for people. */
  readonly tensorflow: string;
}

/** Where `npm run setup:tensorflow` puts what it builds: `MLORA_TENSORFLOW`, or a folder of the user's. */
export const tensorflowFolder = (): string => process.env.MLORA_TENSORFLOW ?? join(homedir(), '.cache', 'mlora', 'tensorflow');

/** Files in that folder. */
export const BUILT = { record: 'setup.json', package: 'tfjs-node', binding: 'tfjs_binding.node' } as const;

/** What the setup notes about its build. */
export interface BuildRecord {
  readonly tfjsNode: string;
  readonly tensorflow: string;
  readonly libraries: string;
  readonly compiler: string;
}

const findBuilt = (folder: string): TensorflowPackage | null => {
  const [record, binding] = [join(folder, BUILT.record), join(folder, BUILT.binding)];
  if (!existsSync(record) || !existsSync(binding)) return null;
  const { tfjsNode, tensorflow, libraries } = JSON.parse(readFileSync(record, 'utf8')) as BuildRecord;
  const again = 'run npm run setup:tensorflow again';
  if (tfjsNode !== TFJS_NODE_VERSION) throw new Error(`${folder} was built for tfjs-node ${tfjsNode}, not ${TFJS_NODE_VERSION}; ${again}`);
  if (!existsSync(libraries)) throw new Error(`TensorFlow ${tensorflow} is no longer in ${libraries}; ${again}`);
  return { folder: join(folder, BUILT.package), binding, tensorflow: `${tensorflow} from ${libraries}` };
};

/** Node-API versions for which the packages' own downloads come. */
const NODE_API_VERSIONS = [8, 7, 6, 5, 4, 3];

/** An installed package whose own download of TensorFlow has worked; its installer leaves it away where that fails. */
export const findDownloaded = (): TensorflowPackage | null => {
  const require = createRequire(import.meta.url);
  for (const name of TFJS_NODE_PACKAGES) {
    const folder = folderOf(require, name);
    const binding = NODE_API_VERSIONS.map((version) => join(folder ?? '', 'lib', `napi-v${version}`, 'tfjs_binding.node')).find((path) => existsSync(path));
    if (folder !== null && binding !== undefined) return { folder, binding, tensorflow: `as ${name} downloaded it` };
  }
  return null;
};

const folderOf = (require: NodeJS.Require, name: string): string | null => {
  try {
    return dirname(require.resolve(`${name}/package.json`));
  } catch {
    return null;
  }
};

/** The native backend to be used: what the setup has built, else what npm has downloaded. Throws where there is none that can be used. */
export const findTensorflow = (): TensorflowPackage => {
  const found = findBuilt(tensorflowFolder()) ?? findDownloaded();
  if (found !== null) return found;
  throw new Error(`${TFJS_NODE_PACKAGES.join(' or ')} is not installed with its TensorFlow; npm run setup:tensorflow builds it`);
};
