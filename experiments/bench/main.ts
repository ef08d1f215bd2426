import { benchBubbles } from './bubbles.ts';
import { benchCluster } from './cluster.ts';
import { benchEfficiency } from './efficiency.ts';
import { benchExecutorSpeed } from './executor-speed.ts';
import { benchHalving } from './halving.ts';
import { benchIdleCauses } from './idle-causes.ts';
import { benchIsolation } from './isolation.ts';
import { benchLink } from './link.ts';
import { benchManyPlans } from './many-plans.ts';
import { benchMemoryFit } from './memory-fit.ts';
import { benchOverlap } from './overlap.ts';
import { benchPage } from './page.ts';
import { benchParity } from './parity.ts';
import { benchPlanMemory } from './plan-memory.ts';
import { benchPrediction } from './prediction.ts';
import { benchScheduler } from './scheduler.ts';
import { benchServe } from './serve.ts';
import { benchSimulatorSpeed } from './simulator-speed.ts';
import { benchTransport } from './transport.ts';
import { benchUnequalLengths } from './unequal-lengths.ts';

/** `npm run bench` runs all benchmarks, `npm run bench -- NAME …` some; each prints its figures and their peers. */
const BENCHMARKS: Readonly<Record<string, () => void | Promise<void>>> = {
  bubbles: benchBubbles,
  unequal: benchUnequalLengths,
  simulator: benchSimulatorSpeed,
  plans: benchManyPlans,
  'plan-memory': benchPlanMemory,
  isolation: benchIsolation,
  parity: benchParity,
  prediction: benchPrediction,
  efficiency: benchEfficiency,
  'idle-causes': benchIdleCauses,
  executor: benchExecutorSpeed,
  page: benchPage,
  scheduler: benchScheduler,
  cluster: benchCluster,
  serve: benchServe,
  halving: benchHalving,
  'memory-fit': benchMemoryFit,
  transport: benchTransport,
  overlap: benchOverlap,
  link: benchLink,
};

const names = process.argv.slice(2);
const unknown = names.filter((name) => !(name in BENCHMARKS));
if (unknown.length > 0) {
  console.error(`no benchmark ${unknown.join(', ')}; there are ${Object.keys(BENCHMARKS).join(', ')}`);
  process.exit(2);
}
for (const name of names.length > 0 ? names : Object.keys(BENCHMARKS)) {
  console.log(`\n== ${name}`);
  await BENCHMARKS[name]!();
}
