/** A rule that a plan can break. */
export type Rule =
  | 'known' | 'placement' | 'once' | 'missing' | 'order' | 'step' | 'lifecycle' | 'pairing' | 'deadlock' | 'memory';

/** One broken rule: where, and why. `position` counts ops of the device's program; -1 is the program as a whole. */
export interface Violation {
  readonly rule: Rule;
  readonly device: number;
  readonly position: number;
  readonly message: string;
}
