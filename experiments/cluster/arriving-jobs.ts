import { uniformFloat64 } from 'pure-rand/distribution/uniformFloat64';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';
import type { ArrivingJob } from '../../sim/cluster/cluster-run.ts';
import type { PipelineModel } from '../../sim/cluster/pipeline-model.ts';
import type { Arrivals } from './cluster-file.ts';

/** The jobs of a trace, or those that a Poisson process draws from its seed. */
export const arrivingJobs = (arrivals: Arrivals, model: PipelineModel): readonly ArrivingJob[] => {
  const kinds = model.experiment.jobs.map(({ name }) => name);
  if (arrivals.type === 'replay') {
    return arrivals.rows.map(({ timeNs, kind, iterations, priority, user }, index) => ({
      timeNs,
      job: model.spec(kinds.indexOf(kind), {
        id: `${index}-${kind}`,
        user,
        ...(iterations === null ? {} : { iterations }),
        ...(priority === null ? {} : { priority }),
      }),
    }));
  }
  const generator = xoroshiro128plus(arrivals.seed);
  const draw = (): number => uniformFloat64(generator);
  const shares = kinds.map((kind) => arrivals.shares[kind] ?? 1);
  let nowNs = 0;
  return Array.from({ length: arrivals.jobs }, (_, index) => {
    nowNs += -Math.log(1 - draw()) * arrivals.every;
    const kind = pick(shares, draw());
    const user = `user-${Math.floor(draw() * arrivals.users)}`;
    const spread = Math.exp(arrivals.sigma * normal(draw) - arrivals.sigma ** 2 / 2);
    const own = model.workload(kind, 1).iterations;
    return { timeNs: Math.round(nowNs), job: model.spec(kind, { id: `${index}-${kinds[kind]}`, user, iterations: Math.max(1, Math.round(own * spread)) }) };
  });
};

const pick = (shares: readonly number[], at: number): number => {
  let left = at * shares.reduce((sum, share) => sum + share, 0);
  for (const [index, share] of shares.entries()) if ((left -= share) < 0) return index;
  return shares.length - 1;
};

/** A standard normal deviate by the method of Box and Muller (1958). */
const normal = (draw: () => number): number => Math.sqrt(-2 * Math.log(1 - draw())) * Math.cos(2 * Math.PI * draw());
