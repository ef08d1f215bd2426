import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'csv-parse/sync';
import * as E from 'fp-ts/lib/Either.js';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { evaluatePoint } from '../../../experiments/sweep/evaluate-point.ts';
import { expandSweep } from '../../../experiments/sweep/expand.ts';
import { openJournal } from '../../../experiments/sweep/journal.ts';
import { readSweep } from '../../../experiments/sweep/read-sweep.ts';
import { runPoints } from '../../../experiments/sweep/run-points.ts';
import { sweepCharts } from '../../../experiments/sweep/sweep-charts.ts';
import { formatSweep, sweepCsv } from '../../../experiments/sweep/sweep-table.ts';
import type { PointResult, Sweep, SweepPoint, SweepRow } from '../../../experiments/sweep/sweep.ts';

const BASE = `
  name: base
  model: TinyLlama-1.1B
  precision: bf16
  cluster: 4xA6000-pcie
  schedule: { type: lorapp, order: 1f1b, microbatches: 4 }
  defaults: { data: { lengths: { type: fixed, length: 64 }, rows: 64 }, iterations: 2, batchSize: 8, adapter: { rank: 8 } }
  jobs: [{ name: one }]`;

const fileOf = (grid: string): string => `name: test\nbase:${BASE}\ngrid:\n${grid}`;

const right = <L, R>(result: E.Either<L, R>): R => {
  if (E.isLeft(result)) throw new Error(JSON.stringify(result.left));
  return result.right;
};

const open = (grid: string, code = 'code'): { readonly sweep: Sweep; readonly points: readonly SweepPoint[] } => {
  const sweep = right(readSweep('sweep.yaml', fileOf(grid)));
  return { sweep, points: right(expandSweep(sweep, { code })) };
};

/** Every problem as `path: message`. */
const problemsOf = (text: string): string[] => {
  const sweep = readSweep('sweep.yaml', text);
  if (E.isLeft(sweep)) return sweep.left.flatMap(({ problems }) => problems.map(({ path, message }) => `${path}: ${message}`));
  const points = expandSweep(sweep.right, { code: '' });
  return E.isLeft(points) ? points.left.map(({ path, message }) => `${path}: ${message}`) : [];
};

const result = (tokensPerSecond: number): PointResult => ({
  outcome: 'ok',
  makespanSeconds: 1,
  tokensPerSecond,
  bubbleRatio: 0.1,
  peakMemoryBytes: 2 ** 30,
  detail: '',
});

describe('the grid of a sweep', () => {
  test('has every combination once, the last axis fastest', () => {
    const { points } = open('  schedule.type: [1f1b, lorapp]\n  jobs.count: [1, 2, 4]');
    expect(points.map(({ choice }) => choice.join(''))).toEqual(['00', '01', '02', '10', '11', '12']);
    expect(points.map(({ content }) => (content as { jobs: unknown[] }).jobs.length)).toEqual([1, 2, 4, 1, 2, 4]);
  });

  test("leaves LoRAPP's options out where an axis sets another type, and such points are one experiment", () => {
    const { points } = open('  schedule.type: [1f1b, lorapp]\n  schedule.release: [staggered, greedy]');
    expect((points[0]!.content as { schedule: unknown }).schedule).toEqual({ type: '1f1b', microbatches: 4 });
    expect(new Set(points.map(({ id }) => id)).size).toBe(3);
  });

  test('knows a point by what it is, not by where it stands, and by the code', () => {
    const small = open('  schedule.microbatches: [4]\n  jobs.count: [2]').points[0]!;
    const large = open('  jobs.count: [1, 2]\n  schedule.microbatches: [2, 4]').points[3]!;
    expect(large.id).toBe(small.id);
    expect(open('  schedule.microbatches: [4]\n  jobs.count: [2]', 'other code').points[0]!.id).not.toBe(small.id);
  });

  test('knows a point by the contents of its data files', () => {
    const folder = mkdtempSync(join(tmpdir(), 'mlora-sweep-'));
    try {
      const grid = "  defaults.data: [{ train: rows.jsonl, prompt: '{{ a }}', completion: '{{ b }}' }]";
      const id = (): string => right(expandSweep(right(readSweep(join(folder, 'sweep.yaml'), fileOf(grid))), { code: '' }))[0]!.id;
      writeFileSync(join(folder, 'rows.jsonl'), '{"a":"x","b":"y"}\n');
      const before = id();
      expect(id()).toBe(before);
      writeFileSync(join(folder, 'rows.jsonl'), '{"a":"x","b":"z"}\n');
      expect(id()).not.toBe(before);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe('a wrong sweep file', () => {
  test('has every problem told, with its place', () => {
    expect(problemsOf('name: ""\nbse: x\ngrid: { "a..b": [1], model: [], cluster: [x, x] }')).toEqual([
      'name: is ""; expected a text that is not empty',
      'base: is missing; expected the path of an experiment file, or an experiment',
      'bse: unknown key; did you mean base?',
      'grid["a..b"]: is no path; expected keys and indices like jobs[0].adapter.rank',
      'grid["model"]: expected a list with at least one value',
      'grid["cluster"][1]: is "x", as an earlier one',
    ]);
  });

  test('a base that is not there is named', () => {
    const sweep = readSweep('sweep.yaml', 'name: a\nbase: nowhere.yaml\ngrid: { model: [x] }');
    expect(E.isLeft(sweep) && sweep.left[0]!.file).toMatch(/nowhere\.yaml$/);
  });

  test('values that no experiment can have are told once each, at their place in the grid', () => {
    expect(problemsOf(fileOf('  schedule.type: [1f1b, lorap]\n  jobs.count: [0, 1, 2]\n  jobs[3].name: [x]'))).toEqual([
      expect.stringMatching(/^grid\["jobs\.count"\]\[0\]: expected a whole number/),
      expect.stringMatching(/^grid\["jobs\[3\]\.name"\]\[0\]: the list has 1 entries/),
      expect.stringMatching(/^grid\["jobs\[3\]\.name"\]\[0\]: the list has 2 entries/),
    ]);
    expect(problemsOf(fileOf('  schedule.type: [1f1b, lorap]\n  jobs.count: [1, 2]'))).toEqual([
      expect.stringMatching(/^grid\["schedule\.type"\]\[1\]: schedule\.type is "lorap"; expected .*did you mean lorapp/),
    ]);
  });

  test('what is wrong with the base itself is told once', () => {
    expect(problemsOf(fileOf('  jobs.count: [1, 2]').replace('TinyLlama-1.1B', 'TinyLlama'))).toEqual([
      expect.stringMatching(/^base: model: is "TinyLlama"; expected/),
    ]);
  });

  test('a grid that is too large is refused', () => {
    const { sweep } = open('  jobs.count: [1, 2, 4]');
    expect(expandSweep(sweep, { code: '', mostPoints: 2 })).toEqual(E.left([{ path: 'grid', message: 'has 3 points; expected at most 2' }]));
  });
});

describe('running a sweep', () => {
  let folder = '';
  let file = '';
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'mlora-sweep-'));
    file = join(folder, 'points.jsonl');
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const run = async (points: readonly SweepPoint[], evaluate: (point: SweepPoint) => Promise<PointResult>, signal = new AbortController().signal) => {
    const journal = right(openJournal(file));
    const failed = await runPoints(points, { journal, evaluate, concurrency: 2, onDone: () => undefined, signal });
    return { journal, failed };
  };

  const counting = () => {
    const ran: string[] = [];
    return { ran, evaluate: (point: SweepPoint) => (ran.push(point.id), Promise.resolve(result(ran.length))) };
  };

  test('a second run does the points that are missing, also after the grid has grown', async () => {
    const small = open('  jobs.count: [1, 2]').points;
    const large = open('  jobs.count: [1, 2, 4]').points;
    await run(small, counting().evaluate);
    const { ran, evaluate } = counting();
    const { journal } = await run(large, evaluate);
    expect(ran).toEqual([large[2]!.id]);
    expect(large.every(({ id }) => journal.known.has(id))).toBe(true);
  });

  test('what is done stays done when it is aborted', async () => {
    const { points } = open('  jobs.count: [1, 2, 3, 4, 5, 6]');
    const abort = new AbortController();
    const { ran, evaluate } = counting();
    await run(points, (point) => (ran.length === 2 ? abort.abort() : undefined, evaluate(point)), abort.signal);
    expect(ran.length).toBeLessThan(points.length);
    expect(right(openJournal(file)).known.size).toBe(ran.length);
  });

  test('a line that was cut off is run again, and no other', async () => {
    const { points } = open('  jobs.count: [1, 2, 4]');
    await run(points, counting().evaluate);
    const text = readFileSync(file, 'utf8');
    writeFileSync(file, text.slice(0, -20));
    const { ran, evaluate } = counting();
    await run(points, evaluate);
    expect(ran).toHaveLength(1);
    expect(right(openJournal(file)).known.size).toBe(3);
  });

  test('a line that is no result is bad input, and nothing is written', () => {
    appendFileSync(file, 'hello\n{"id":"a","result":{"outcome":"fine"}}\n');
    const journal = openJournal(file);
    expect(E.isLeft(journal) && journal.left.map(({ message }) => message)).toEqual([
      'line 1 is no result of a sweep; remove it, and its point runs again',
      'line 2 is no result of a sweep; remove it, and its point runs again',
    ]);
    expect(readFileSync(file, 'utf8')).toContain('hello');
  });

  test('a point that cannot be run does not stop the others', async () => {
    const { points } = open('  jobs.count: [1, 2, 4]');
    const { failed, journal } = await run(points, (point) => (point === points[1] ? Promise.reject(new Error('no data')) : Promise.resolve(result(1))));
    expect(failed).toEqual([{ point: points[1], reason: 'no data' }]);
    expect(journal.known.size).toBe(2);
  });

  test('more adapters fill the bubbles of LoRAPP and none of 1F1B', async () => {
    const { sweep, points } = open('  schedule.type: [1f1b, lorapp]\n  jobs.count: [1, 4]');
    const { journal } = await run(points, ({ content }) => evaluatePoint({ content, folder: sweep.folder }));
    const speed = points.map(({ id }) => journal.known.get(id)!.tokensPerSecond!);
    expect(speed[1]! / speed[0]!).toBeCloseTo(1, 2);
    expect(speed[3]!).toBeGreaterThan(1.2 * speed[2]!);
  });

  test('a point that does not fit is a result in words', async () => {
    const { sweep, points } = open('  model: [Llama-2-70B]\n  precision: [fp32]');
    const outcome = await evaluatePoint({ content: points[0]!.content, folder: sweep.folder });
    expect(outcome).toMatchObject({ outcome: 'doesNotFit', tokensPerSecond: null, detail: expect.stringMatching(/^does not fit: device\d needs/) as string });
  });
});

describe('results of a sweep', () => {
  const { sweep, points } = open('  schedule.type: [1f1b, lorapp]\n  jobs.count: [1, 2, 4]\n  schedule.microbatches: [1, 2, 4, 8]');
  const misfit: PointResult = { outcome: 'doesNotFit', makespanSeconds: null, tokensPerSecond: null, bubbleRatio: null, peakMemoryBytes: null, detail: 'does not fit: "a", b' };
  const rows: readonly SweepRow[] = points.map((point, index) => ({
    point,
    result: index === 0 ? null : index < 12 ? result(100 + index) : index === 12 ? misfit : result(200 + index),
  }));

  test('as CSV are a record per point, in the order of the grid', () => {
    const records = parse(sweepCsv(sweep, rows), { columns: true }) as unknown as readonly Record<string, string>[];
    expect(records).toHaveLength(24);
    expect(records[0]).toMatchObject({ 'schedule.type': '1f1b', 'jobs.count': '1', 'schedule.microbatches': '1', outcome: '', tokensPerSecond: '' });
    expect(records[12]).toMatchObject({ 'schedule.type': 'lorapp', outcome: 'doesNotFit', detail: 'does not fit: "a", b', tokensPerSecond: '' });
    expect(records[23]).toMatchObject({ outcome: 'ok', tokensPerSecond: '223', point: points[23]!.id });
  });

  test('as a table show the fastest first', () => {
    const lines = formatSweep(sweep, rows).split('\n');
    expect(lines[1]).toMatch(/^lorapp +4 +8 +223/);
    expect(lines.at(-1)).toBe('and 4 more points, slower or not able to run');
  });

  test('are drawn once per axis, other axes as lines as far as a picture bears them', () => {
    const charts = sweepCharts(sweep, rows);
    expect(Object.keys(charts)).toEqual(['by-schedule-type.svg', 'by-jobs-count.svg', 'by-schedule-microbatches.svg']);
    expect(charts['by-schedule-microbatches.svg']).toContain('1f1b, count 1');
    expect(charts['by-jobs-count.svg']).toContain('the fastest over schedule.microbatches');
    for (const svg of Object.values(charts)) expect(svg).not.toMatch(/NaN|undefined|Infinity/);
  });

  test('are drawn even where nothing has run', () => {
    const empty = points.map((point): SweepRow => ({ point, result: null }));
    for (const svg of Object.values(sweepCharts(sweep, empty))) expect(svg).not.toMatch(/NaN|undefined|Infinity/);
  });
});

