import { Presets, SingleBar } from 'cli-progress';

/** Shows on standard error how many of some things are done. */
export interface CountedProgress {
  readonly show: (done: number, total: number) => void;
  readonly stop: () => void;
}

/** A bar on a terminal; ten lines elsewhere. `things` is what is counted, e.g. `points`. */
export const createCountedProgress = (things: string): CountedProgress => {
  if (!process.stderr.isTTY) {
    return {
      show: (done, total) => {
        const isTenth = Math.floor((10 * done) / total) > Math.floor((10 * (done - 1)) / total);
        if (isTenth && done > 0) process.stderr.write(`${done} of ${total} ${things}\n`);
      },
      stop: () => undefined,
    };
  }
  const bar = new SingleBar({ format: `{bar} {value}/{total} ${things}, {eta} s left`, hideCursor: true }, Presets.rect);
  return {
    show: (done, total) => {
      if (!bar.isActive) bar.start(total, 0);
      bar.update(done);
    },
    stop: () => bar.stop(),
  };
};
