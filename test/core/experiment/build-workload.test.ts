import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { countIterations, workloadOf, type FileSizes } from '../../../core/experiment/build-workload.ts';
import { drawLengths } from '../../../core/experiment/synthetic.ts';
import { firstRowOfMicrobatch, rowsOfMicrobatch, sizeOfRows } from '../../../core/workload.ts';
import { job, minimal, read } from './file.ts';

const noFiles: FileSizes = {
  rowCount: ({ name }) => {
    throw new Error(`${name} has no files`);
  },
  part: ({ name }) => {
    throw new Error(`${name} has no files`);
  },
  heldout: ({ name }) => {
    throw new Error(`${name} has no files`);
  },
};

describe('the workload of an experiment', () => {
  it('has the jobs in their order, with what planning needs', () => {
    const jobs = [
      { ...job, arrival: '2 s', priority: 3 },
      { ...job, name: 'b', iterations: 7 },
    ];
    const { adapters } = workloadOf(read({ ...minimal, jobs }), noFiles);
    expect(adapters).toMatchObject([
      { name: 'a', iterations: 125, microbatches: 2, arrivalNs: 2e9, priority: 3 },
      { name: 'b', iterations: 7, microbatches: 2, arrivalNs: 0, priority: 0 },
    ]);
    expect(adapters[0]!.part(3, 1)).toEqual({ rows: 4, tokens: 4 * 32, squaredTokens: 4 * 32 * 32 });
  });

  it('takes made-up rows in order, epoch after epoch, and never a part of a mini-batch', () => {
    const sizes = fc.record({
      rows: fc.integer({ min: 1, max: 20 }),
      batchSize: fc.integer({ min: 1, max: 9 }),
      seed: fc.nat(99),
    });
    fc.assert(
      fc.property(sizes, fc.integer({ min: 1, max: 9 }), fc.nat(8), ({ rows, batchSize, seed }, pieces, iteration) => {
        const microbatches = Math.min(pieces, batchSize);
        const lengths = { type: 'uniform', minimum: 1, maximum: 50 } as const;
        const file = {
          ...minimal,
          schedule: { microbatches },
          jobs: [{ ...job, data: { lengths, rows }, batchSize, seed }],
        };
        const { part } = workloadOf(read(file), noFiles).adapters[0]!;
        const drawn = drawLengths(lengths, rows, seed);
        for (let index = 0; index < microbatches; index++) {
          const first = iteration * batchSize + firstRowOfMicrobatch(batchSize, microbatches, index);
          const count = rowsOfMicrobatch(batchSize, microbatches, index);
          const taken = Array.from({ length: count }, (_, offset) => drawn[(first + offset) % rows]!);
          expect(part(iteration, index)).toEqual(sizeOfRows(taken));
        }
      }),
    );
  });

  it('asks the caller about rows in files', () => {
    const data = { train: 'x', prompt: 'p', completion: 'c' };
    const experiment = read({ ...minimal, jobs: [{ ...job, data, epochs: 2 }] });
    const { adapters } = workloadOf(experiment, {
      rowCount: () => 10,
      part: ({ name }) => (iteration, index) => ({ rows: name.length, tokens: iteration, squaredTokens: index }),
      heldout: () => [],
    });
    expect(adapters[0]!.iterations).toBe(3);
    expect(adapters[0]!.part(5, 1)).toEqual({ rows: 1, tokens: 5, squaredTokens: 1 });
  });
});

describe('what a job asks of its plan beside training', () => {
  it('is norms to clip by, and held-out rows every few iterations', () => {
    const data = { train: 'x', split: 0.1, prompt: 'p', completion: 'c' };
    const parts = [{ rows: 2, tokens: 9, squaredTokens: 41 }];
    const files: FileSizes = { ...noFiles, rowCount: () => 10, part: () => () => parts[0]!, heldout: () => parts };
    const extras = { optimizer: { maxGradientNorm: 1 }, evaluate: { every: 5 } };
    const experiment = read({ ...minimal, jobs: [{ ...job, data, ...extras }, { ...job, name: 'plain', data }] });
    const [first, second] = workloadOf(experiment, files).adapters;
    expect([first!.clips, first!.evaluation]).toEqual([true, { every: 5, parts }]);
    expect([second!.clips, second!.evaluation]).toEqual([false, undefined]);
  });
});

describe('the number of iterations', () => {
  const jobOf = (change: object) => read({ ...minimal, jobs: [{ ...job, ...change }] }).jobs[0]!;

  it('covers every row of every epoch: the paper’s ten epochs of GSM8K are 9,341.25 mini-batches', () => {
    expect(countIterations(jobOf({ epochs: 10 }), 7473)).toBe(9342);
    expect(countIterations(jobOf({ epochs: 1 }), 16)).toBe(2);
    expect(countIterations(jobOf({ epochs: 0.5 }), 16)).toBe(1);
    expect(countIterations(jobOf({ epochs: 0.01 }), 16)).toBe(1);
    expect(countIterations(jobOf({ epochs: 1.1, batchSize: 11 }), 10)).toBe(1);
  });

  it('is the given one where it is given', () => {
    expect(countIterations(jobOf({ iterations: 5 }), 7473)).toBe(5);
  });
});
