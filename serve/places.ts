import { resolve } from 'node:path';

/** The folder of a server's state unless another one is chosen. */
export const DEFAULT_STATE = 'runs/serve';

/** Where things are below a server's folder: absolute, because jobs keep the paths of their rows. */
export const serverPlaces = (folder: string) => ({
  token: resolve(folder, 'token'),
  database: resolve(folder, 'state.db'),
  rows: resolve(folder, 'rows'),
  run: resolve(folder, 'run'),
  /** Says where the server listens while it runs. */
  address: resolve(folder, 'address'),
});

export type Places = ReturnType<typeof serverPlaces>;
