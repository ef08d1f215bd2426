import { join } from 'node:path';
import Database from 'libsql';

/** Holds a folder until it is released or this process is gone, however it goes. */
export interface FolderLock {
  readonly release: () => void;
}

const isBusy = (error: unknown): boolean => (error as { readonly code?: unknown }).code === 'SQLITE_BUSY';

/**
 * Takes a folder for this process; null where another one has it. The lock is that of an open transaction on a database
 * of its own: the system gives it back when a process ends, so a killed server leaves nothing that has to be cleared away.
 */
export const lockFolder = (folder: string): FolderLock | null => {
  const database = new Database(join(folder, 'lock.db'));
  try {
    database.exec('BEGIN EXCLUSIVE');
    return { release: () => void database.close() };
  } catch (error) {
    database.close();
    if (isBusy(error)) return null;
    throw error;
  }
};
