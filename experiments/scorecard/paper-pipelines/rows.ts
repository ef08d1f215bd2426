import { paperSeries, readPaperFigure, TASK_TOKENS, type PaperFigure, type PaperValue } from '../../reproduction/paper.ts';
import type { PaperModel, PaperRun, PaperSystem } from '../../reproduction/paper-run.ts';
import type { Observation } from '../data-set.ts';
import { DOES_NOT_FIT, FITS, type PipelineQuantity } from './predict.ts';


type Row = Observation<PaperRun, PipelineQuantity>;

const measuredOf = (value: PaperValue, tokensPerSecond: (value: number) => number): Row['measured'] =>
  typeof value === 'number' ? { tokensPerSecond: tokensPerSecond(value), fit: FITS } : { fit: value === 'OOM' ? DOES_NOT_FIT : FITS };

const SECONDS_PER_HOUR = 3600;
const fromHours = (hours: number): number => TASK_TOKENS / (hours * SECONDS_PER_HOUR);
const asPrinted = (value: number): number => value;

/** A curve of the paper as rows. */
const curve = (
  paper: PaperFigure,
  { panel, series, value }: { readonly panel: string; readonly series: string; readonly value: (drawn: number) => number },
  runAt: (x: number) => PaperRun,
): Row[] =>
  paperSeries(paper, panel, series).map(([x, y]) => ({
    id: `fig${paper.figure}${panel}-${series}-${x}`,
    input: runAt(Number(x)),
    measured: measuredOf(y, value),
  }));

const SYSTEMS: readonly (readonly [string, string, PaperSystem])[] = [
  ['1F1B', '1F1B', '1f1b'],
  ['TP', 'TP', 'tensorParallel'],
  ['FSDP', 'FSDP', 'fsdp'],
  ['mLoRA', 'LoRAPP', 'lorapp'],
];

/** Figure 12, four A6000. */
const byAdapters = (): Row[] =>
  (['1.1B', '7B', '13B'] as const).flatMap((model, index) =>
    SYSTEMS.flatMap(([, series, system]) =>
      curve(readPaperFigure(12), { panel: 'abc'[index]!, series, value: asPrinted }, (adapters) => ({ model, system, gpu: 'A6000', gpus: 4, adapters })),
    ),
  );

/** What of Figure 7 is not a copy of Figure 12: more than four adapters of 1.1B, 70B, and eight machines. */
const completionTimes = (): Row[] => {
  const paper = readPaperFigure(7);
  const panel = (id: string, run: Omit<PaperRun, 'system' | 'adapters'>): Row[] =>
    SYSTEMS.flatMap(([series, , system]) => curve(paper, { panel: id, series, value: fromHours }, (adapters) => ({ ...run, system, adapters })));
  const four = { gpu: 'A6000', gpus: 4 } as const;
  const eight = { gpu: '3090', gpus: 8 } as const;
  return [
    ...panel('a', { model: '1.1B', ...four }).filter(({ input }) => input.adapters > 4),
    ...panel('d', { model: '70B', ...four }),
    ...(['1.1B', '7B', '13B', '70B'] as const).flatMap((model, index) => panel('efgh'[index]!, { model, ...eight })),
  ];
};

const SCALED = { system: 'lorapp', gpu: 'A6000' } as const;

/** Figure 13: as many adapters as GPUs; four adapters of different ranks. */
const scaling = (): Row[] => {
  const paper = readPaperFigure(13);
  const models: readonly PaperModel[] = ['1.1B', '7B', '13B'];
  return models.flatMap((model, index) => [
    ...curve(paper, { panel: 'abc'[index]!, series: 'LoRAPP', value: asPrinted }, (gpus) => ({ ...SCALED, model, gpus, adapters: gpus })),
    ...curve(paper, { panel: 'def'[index]!, series: 'LoRAPP', value: asPrinted }, (rank) => ({ ...SCALED, model, gpus: 4, adapters: 4, rank })),
  ]);
};

/** Figure 11's TP and FSDP at 7B, which differ from Figure 12's. */
const peaks = (): Row[] =>
  (['TP', 'FSDP'] as const).flatMap((series) =>
    paperSeries(readPaperFigure(11), 'b', series).map(([, y]): Row => ({
      id: `fig11b-${series}`,
      input: { model: '7B', system: series === 'TP' ? 'tensorParallel' : 'fsdp', gpu: 'A6000', gpus: 4, adapters: 1 },
      measured: measuredOf(y, asPrinted),
    })),
  );

export const readPipelineRows = (): readonly Row[] => [...byAdapters(), ...completionTimes(), ...scaling(), ...peaks()];
