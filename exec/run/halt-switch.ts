/** Asks the program that is being trained, if there is one, to end at the next iteration end of each adapter. */
export interface HaltSwitch {
  /** False when nothing is being trained. A program is asked once only. */
  readonly request: () => boolean;
  /** Connects what is being trained now; null: nothing any more. */
  readonly connect: (halt: (() => void) | null) => void;
}

export const createHaltSwitch = (): HaltSwitch => {
  let halt: (() => void) | null = null;
  let asked = false;
  return {
    request: () => {
      if (halt === null) return false;
      if (!asked) halt();
      asked = true;
      return true;
    },
    connect: (next) => {
      halt = next;
      asked = false;
    },
  };
};
