/** How to bring one TensorFlow.js backend up; one file per backend exports one. */
export interface Candidate {
  /** Loads and registers the backend; rejects with the reason when this machine cannot have it. */
  readonly prepare: () => Promise<void>;
  /** Memory it has claimed from the system, while it is the current backend. */
  readonly reservedBytes: () => number;
}
