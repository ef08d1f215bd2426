import { createRequire } from 'node:module';

/** Of this package, seen from the compiled file. */
export const { version: PACKAGE_VERSION } = createRequire(import.meta.url)('../../package.json') as { readonly version: string };
