import { readdir } from 'node:fs/promises';
import { extname, join, posix } from 'node:path';

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json; charset=utf-8',
};

export const contentTypeOf = (file: string): string => TYPES[extname(file)] ?? 'application/octet-stream';

/** Files of a built page by the path they are asked for under: nothing else of the disk can be reached. */
export const pageFiles = async (page: string): Promise<ReadonlyMap<string, string>> => {
  const entries = await readdir(page, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const routes = new Map(files.map((file) => [`/${posix.join(...file.slice(page.length).split(/[\\/]/))}`, file]));
  const index = routes.get('/index.html');
  return index === undefined ? routes : routes.set('/', index);
};
