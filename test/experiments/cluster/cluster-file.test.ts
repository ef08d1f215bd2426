import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as E from 'fp-ts/lib/Either.js';
import { describe, expect, test } from 'vitest';
import { formatFile } from '../../../exec/exec-error.ts';
import { clusterCsv, clusterSvg } from '../../../experiments/cluster/cluster-report.ts';
import { readClusterFile, readTrace, type ClusterFile } from '../../../experiments/cluster/cluster-file.ts';
import { runCluster } from '../../../experiments/cluster/run-cluster.ts';

const BASE = `
base:
  name: two kinds
  model: TinyLlama-1.1B
  cluster: 4xA6000-pcie
  schedule: { type: lorapp, microbatches: 4 }
  defaults: { adapter: { rank: 16 }, batchSize: 8, data: { lengths: { type: fixed, length: 256 } } }
  jobs: [{ name: usual, iterations: 50 }, { name: urgent, iterations: 20, priority: 1 }]
`;
const read = (text: string) => readClusterFile('cluster.yaml', text);
const complaints = (text: string): string => {
  const result = read(text);
  return E.isLeft(result) ? result.left.map(formatFile).join('\n') : '';
};

describe('a cluster file', () => {
  test.each(['month', 'mixed-priority'])('%s.yaml is one', (name) => {
    const path = `experiments/cluster/${name}.yaml`;
    expect(E.isRight(readClusterFile(path, readFileSync(path, 'utf8')))).toBe(true);
  });

  test('is told everything that is wrong with it, and with the experiment in it, at once', () => {
    const text = complaints(`name: x\nslots: 0\npolicy: [fcfs]${BASE.replace('batchSize: 8', 'batchsize: 8')}arrivals: { type: poisson, jobs: 3, every: 5 }`);
    expect(text).toContain('slots: is 0');
    expect(text).toContain('unknown key; did you mean policies?');
    expect(text).toContain('arrivals.every: is 5; expected a number with a unit');
    expect(text).toContain('base.defaults.batchsize');
  });

  test('names the job of the base that a share or a row of a trace lacks', () => {
    expect(complaints(`name: x${BASE}arrivals: { type: poisson, jobs: 3, every: 5 s, shares: { usul: 2 } }`)).toContain('arrivals.shares.usul: is no job of the base');
    const rows = readTrace('seconds,job,iterations\n0,usual,10\n-1,urgnt,1.5\n', ['usual', 'urgent']);
    expect(E.isLeft(rows) && rows.left.map(({ path, message }) => `${path} ${message}`)).toEqual([
      'row 2: iterations is "1.5"; expected a whole number',
      'row 2: seconds expected a number of at least 0',
      'row 2: job is "urgnt", no job of the base; there are usual, urgent',
    ]);
  });

  test('with a replayed trace runs under every policy, sequentially and in fixed groups', () => {
    const folder = mkdtempSync(join(tmpdir(), 'cluster-'));
    writeFileSync(join(folder, 'trace.csv'), 'seconds,job,iterations,priority,user\n0,usual,,,ann\n1,usual,40,,bob\n2,urgent,,2,ann\n2,usual,,,ann\n3,usual,,,bob\n');
    const path = join(folder, 'cluster.yaml');
    const file = readClusterFile(path, `name: replayed${BASE}slots: 2\narrivals: { type: replay, file: trace.csv }`);
    if (E.isLeft(file)) throw new Error(file.left.map(formatFile).join('\n'));
    const results = runCluster(file.right);
    expect(results.map(({ name }) => name)).toEqual(['sequential', 'fixed groups', 'fcfs', 'priority', 'shortest', 'fair', 'ageing']);
    for (const { all, utilisation, refused } of results) {
      expect(all.jobs).toBe(5);
      expect(refused).toBe(0);
      expect(utilisation).toBeGreaterThan(0);
      expect(utilisation).toBeLessThanOrEqual(1);
    }
    const urgent = (name: string): number => results.find((result) => result.name === name)!.byPriority.get(2)!.meanCompletion;
    expect(urgent('priority')).toBeLessThan(urgent('fcfs'));
    expect(clusterCsv(results).split('\n')[0]).toContain('policy,priority,jobs,mean_completion_s');
    expect(clusterSvg(file.right satisfies ClusterFile, results)).toContain('mean completion time');
  });
});
