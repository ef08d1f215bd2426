import { join } from 'node:path';

/** The folder of a server's state unless another one is chosen. */
export const DEFAULT_STATE = 'runs/serve';

/** Where things are below a server's folder. */
export const serverPlaces = (folder: string) => ({
  token: join(folder, 'token'),
  database: join(folder, 'state.db'),
  rows: join(folder, 'rows'),
  run: join(folder, 'run'),
  /** Says where the server listens while it runs. */
  address: join(folder, 'address'),
});

export type Places = ReturnType<typeof serverPlaces>;
