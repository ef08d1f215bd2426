import { describe, expect, it } from 'vitest';
import { createRecorder } from '../../serve/recorder.ts';
import { createJobBook } from '../../serve/state/job-book.ts';
import { openDatabase } from '../../serve/state/open-database.ts';

describe('a recorder whose disk takes nothing for a while', () => {
  it('tells it, keeps what happened, and writes it in order when it can', () => {
    const book = createJobBook(openDatabase(':memory:'));
    const { number, id: job } = book.enter({ name: 'a', user: 'u', priority: 0, key: null, request: '', atMs: 0 });
    let isFull = true;
    const told: string[] = [];
    const note: typeof book.note = (changes) => {
      if (isFull) throw new Error('disk full');
      return book.note(changes);
    };
    const recorder = createRecorder({ book: { ...book, note }, onEnded: (id) => told.push(`ended ${id}`), onFailure: (error) => told.push(String(error)) });
    recorder.onEvent({ kind: 'queued', job, iteration: 0, iterations: 2 });
    recorder.onEvent({ kind: 'iteration', job, iteration: 1, loss: 0.5 });
    recorder.onEvent({ kind: 'finished', job, outcome: 'completed', iteration: 2, made: 2, heldoutLoss: null, adapterFolder: null, error: null });
    expect(told).toEqual(['Error: disk full']);
    expect(book.events({ job: number, after: 0, limit: 10 })).toEqual([]);
    isFull = false;
    recorder.flush();
    expect(told).toEqual(['Error: disk full', `ended ${job}`]);
    expect(book.events({ job: number, after: 0, limit: 10 }).map(({ kind }) => kind)).toEqual(['submitted', 'iteration', 'finished']);
  });
});
