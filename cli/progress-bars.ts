import { MultiBar, Presets, type SingleBar } from 'cli-progress';
import type { DeviceInfo } from '../exec/backend/device.ts';
import type { ProgressEvent } from '../exec/run/train-options.ts';

/** Shows what a training run does, on standard error. */
export interface Progress {
  readonly show: (event: ProgressEvent) => void;
  readonly stop: () => void;
}

export interface ProgressJob {
  readonly name: string;
  readonly iterations: number;
  /** Iterations that earlier runs have done. */
  readonly done: number;
}

/** One bar per adapter on a terminal; a line per event that matters elsewhere. */
export const createProgress = (jobs: readonly ProgressJob[]): Progress =>
  process.stderr.isTTY ? createBars(jobs) : createLines(jobs);

const createBars = (jobs: readonly ProgressJob[]): Progress => {
  const width = Math.max(...jobs.map(({ name }) => name.length));
  const bars = new MultiBar(
    { format: '{name} {bar} {value}/{total}  loss {loss}{heldout}', hideCursor: true, clearOnComplete: false },
    Presets.rect,
  );
  const byName = new Map(
    jobs.map(({ name, iterations, done }): [string, SingleBar] => [
      name,
      bars.create(iterations, done, { name: name.padEnd(width), loss: '–', heldout: '' }),
    ]),
  );
  const heldout = new Map<string, string>();
  return {
    show: (event) => {
      if (event.kind === 'started') startLines(event).forEach((line) => bars.log(`${line}\n`));
      if (event.kind === 'iteration') byName.get(event.adapter)?.update(event.iteration + 1, { loss: event.loss.toFixed(3) });
      if (event.kind === 'failed') byName.get(event.adapter)?.update({ loss: String(event.loss), heldout: '  failed; the others go on' });
      if (event.kind === 'evaluated') byName.get(event.adapter)?.update({ heldout: `${heldout.get(event.adapter) ?? '  held-out'} → ${event.loss.toFixed(3)}` });
      if (event.kind !== 'heldout') return;
      const text = `${heldout.get(event.adapter) ?? '  held-out '}${event.moment === 'before' ? '' : ' → '}${event.loss.toFixed(3)}`;
      heldout.set(event.adapter, text);
      byName.get(event.adapter)?.update({ heldout: text });
    },
    stop: () => bars.stop(),
  };
};

/** Ten lines per adapter and those that matter are enough for a log file. */
const createLines = (jobs: readonly ProgressJob[]): Progress => {
  const total = new Map(jobs.map(({ name, iterations }) => [name, iterations]));
  const write = (text: string): void => void process.stderr.write(`${text}\n`);
  return {
    show: (event) => {
      switch (event.kind) {
        case 'started':
          return startLines(event).forEach(write);
        case 'heldout':
          return write(`${event.adapter}: held-out loss ${event.moment} training ${event.loss.toFixed(4)}`);
        case 'evaluated':
          return write(`${event.adapter}: held-out loss after ${event.iteration} iterations ${event.loss.toFixed(4)}`);
        case 'failed':
          return write(`${event.adapter}: failed, the loss of iteration ${event.iteration + 1} is ${event.loss}; the others go on`);
        case 'saved':
          return write(`${event.adapter}: saved in ${event.folder}`);
        case 'iteration': {
          const iterations = total.get(event.adapter) ?? 1;
          const done = event.iteration + 1;
          if (Math.floor((done * 10) / iterations) === Math.floor((event.iteration * 10) / iterations)) return;
          return write(`${event.adapter}: iteration ${done}/${iterations}, loss ${event.loss.toFixed(4)}`);
        }
      }
    },
    stop: () => undefined,
  };
};

/** What the ranks compute on, and why on nothing better. */
const startLines = ({ rejected, processIds, backend, devices }: Extract<ProgressEvent, { kind: 'started' }>): readonly string[] => [
  ...rejected.map((reason) => `not taken: ${reason}`),
  `training on ${processIds.length} ranks, backend ${backend} on ${devicesOf(devices)}`,
];

/** Names of the ranks' devices, equal ones once. */
const devicesOf = (devices: readonly DeviceInfo[]): string => [...new Set(devices.map(({ name }) => name))].join(', ');
