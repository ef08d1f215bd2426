import { parseArgs } from 'node:util';
import { BACKEND_NAMES, type BackendName } from '../../exec/backend/backend.ts';
import { benchAccelerator } from './accelerator.ts';
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

/** What a benchmark of the executor may be told; the others take no notice. */
export interface BenchOptions {
  readonly backend: BackendName | 'auto';
}

/** `npm run bench` runs all benchmarks, `npm run bench -- NAME …` some; each prints its figures and their peers. */
const BENCHMARKS: Readonly<Record<string, (options: BenchOptions) => void | Promise<void>>> = {
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
  accelerator: benchAccelerator,
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

const { values, positionals: names } = parseArgs({
  options: { backend: { type: 'string', default: 'auto' } },
  allowPositionals: true,
});
const backend = ['auto' as const, ...BACKEND_NAMES].find((name) => name === values.backend);
const unknown = names.filter((name) => !(name in BENCHMARKS));
if (unknown.length > 0 || backend === undefined) {
  if (unknown.length > 0) console.error(`no benchmark ${unknown.join(', ')}; there are ${Object.keys(BENCHMARKS).join(', ')}`);
  if (backend === undefined) console.error(`no backend ${values.backend}; there are auto, ${BACKEND_NAMES.join(', ')}`);
  process.exit(2);
}
for (const name of names.length > 0 ? names : Object.keys(BENCHMARKS)) {
  console.log(`\n== ${name}`);
  await BENCHMARKS[name]!({ backend });
}
