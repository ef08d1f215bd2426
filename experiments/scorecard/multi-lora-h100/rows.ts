import type { Observation } from '../data-set.ts';
import { readShippedJson } from '../shipped-file.ts';
import { SYSTEMS, type Lengths, type MixRun, type MixSystem } from './predict.ts';

interface Published {
  readonly lengths: Readonly<Record<string, Lengths>>;
  /** Data set of each of the four jobs. */
  readonly mixes: Readonly<Record<string, readonly string[]>>;
  readonly rows: Readonly<Record<string, Readonly<Record<MixSystem, number>>>>;
}

export const readMixes = (): readonly Observation<MixRun, 'tokensPerSecond'>[] => {
  const { lengths, mixes, rows } = readShippedJson('multi-lora-h100/throughput.json') as Published;
  return Object.entries(rows).flatMap(([mix, measured]) =>
    SYSTEMS.map((system) => ({
      id: `${mix}-${system}`,
      input: { mix, system, jobs: mixes[mix]!.map((name) => lengths[name]!) },
      measured: { tokensPerSecond: measured[system] },
    })),
  );
};
