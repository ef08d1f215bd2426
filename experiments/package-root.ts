import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';

const folderAbove = (folder: string): string =>
  existsSync(`${folder}/package.json`) || folder === dirname(folder) ? folder : folderAbove(dirname(folder));

/** The folder that holds package.json: data is not compiled and stays there. */
export const PACKAGE_ROOT = folderAbove(dirname(fileURLToPath(import.meta.url)));
