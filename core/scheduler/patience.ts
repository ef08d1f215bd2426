/** Early exit: a job ends once its best held-out loss is `evaluations` evaluations old. */
export interface Patience {
  readonly evaluations: number;
  /** A loss counts as better when it is lower by more than this. */
  readonly minimumGain: number;
}

/** What patience remembers of a job. */
export interface BestLoss {
  bestLoss: number | null;
  evaluationsSinceBest: number;
}

/** Notes a held-out loss; true when patience is at its end. */
export const isOutOfPatience = (best: BestLoss, loss: number, { evaluations, minimumGain }: Patience): boolean => {
  if (best.bestLoss === null || loss < best.bestLoss - minimumGain) {
    best.bestLoss = loss;
    best.evaluationsSinceBest = 0;
    return false;
  }
  best.evaluationsSinceBest += 1;
  return best.evaluationsSinceBest >= evaluations;
};
