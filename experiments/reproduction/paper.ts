import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PACKAGE_ROOT } from '../package-root.ts';

/** What the paper prints where it has no number. */
export type PaperGap = 'OOM' | 'off the scale';

export type PaperValue = number | PaperGap;

/** A point of a curve or a bar: position and value. */
export type PaperPoint = readonly [x: number | string, y: PaperValue];

export interface PaperPanel {
  readonly panel: string;
  readonly series: Readonly<Record<string, readonly PaperPoint[]>>;
}

/** One figure of the paper as numbers, with what is doubtful about its labels. */
export interface PaperFigure {
  readonly figure: number;
  readonly caption: string;
  readonly source: string;
  readonly notes: readonly string[];
  readonly panels: readonly PaperPanel[];
}

const FOLDER = join(PACKAGE_ROOT, 'experiments', 'reproduction', 'paper');

/** The numbers of a figure, from its file in `paper/`. */
export const readPaperFigure = (figure: number): PaperFigure =>
  JSON.parse(readFileSync(join(FOLDER, `figure-${String(figure).padStart(2, '0')}.json`), 'utf8')) as PaperFigure;

/** A series of the paper; throws where the file lacks it, which is a mistake of ours. */
export const paperSeries = ({ figure, panels }: PaperFigure, panel: string, series: string): readonly PaperPoint[] => {
  const points = panels.find((each) => each.panel === panel)?.series[series];
  if (points === undefined) throw new Error(`Figure ${figure} (${panel}) has no ${series}`);
  return points;
};

/** Tokens of one fine-tuning task: ten epochs of GSM8K's 7,473 samples, each counted as 512 tokens (section 4.1). */
export const TASK_TOKENS = 7473 * 10 * 512;
