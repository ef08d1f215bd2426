import { stringify } from 'yaml';
import type { Gpu } from '../cluster/cluster.ts';
import type { ClusterDescription, InterconnectDescription, NetworkDescription } from '../cluster/description.ts';
import type { Job, JobData, JobDuration } from '../job.ts';
import { assertNever } from '../never.ts';
import type { Experiment } from './experiment.ts';
import { isFolder } from './model-section.ts';
import { COMPUTE_RATE, formatQuantity, SIZE, TIME, TRANSFER_RATE, type Dimension } from './quantity.ts';

const quantityText = (value: number, dimension: Dimension): string | 0 =>
  value === 0 ? 0 : formatQuantity(value, dimension);

const describeGpu = ({ name, flopsPerSecond, memoryBytes, memoryBytesPerSecond, source }: Gpu) => ({
  name,
  fp32: quantityText(flopsPerSecond.fp32, COMPUTE_RATE),
  tf32: quantityText(flopsPerSecond.tf32, COMPUTE_RATE),
  bf16: quantityText(flopsPerSecond.bf16, COMPUTE_RATE),
  fp16: quantityText(flopsPerSecond.fp16, COMPUTE_RATE),
  memory: quantityText(memoryBytes, SIZE),
  memoryBandwidth: quantityText(memoryBytesPerSecond, TRANSFER_RATE),
  source,
});

const describeSpeed = ({ bytesPerSecond, latencyNs }: NetworkDescription) => ({
  bandwidth: quantityText(bytesPerSecond, TRANSFER_RATE),
  latency: quantityText(latencyNs, TIME),
});

const describeInterconnect = (interconnect: InterconnectDescription) => ({
  type: interconnect.type,
  ...describeSpeed(interconnect),
  ...(interconnect.hostBytesPerSecond === undefined
    ? {}
    : { hostMemory: quantityText(interconnect.hostBytesPerSecond, TRANSFER_RATE) }),
});

const describeCluster = ({ name, machines, network }: ClusterDescription) => ({
  name,
  machines: machines.map((machine) => ({
    name: machine.name,
    gpu: describeGpu(machine.gpu),
    count: machine.deviceCount,
    interconnect: machine.interconnect === null ? null : describeInterconnect(machine.interconnect),
    ...(machine.accelerators === undefined ? {} : { accelerators: [...machine.accelerators] }),
  })),
  network: network === null ? null : describeSpeed(network),
});

const describeData = ({ kind: _kind, ...data }: JobData) => data;

const describeDuration = (duration: JobDuration) => {
  switch (duration.kind) {
    case 'iterations':
      return { iterations: duration.iterations };
    case 'epochs':
      return { epochs: duration.epochs };
    default:
      return assertNever(duration);
  }
};

const describeJob = ({ data, duration, arrivalNs, ...job }: Job) => ({
  ...job,
  data: describeData(data),
  ...describeDuration(duration),
  arrival: quantityText(arrivalNs, TIME),
});

/** A folder called `model` must not read as the name of a preset. */
const folderText = (path: string): string => (isFolder(path) ? path : `./${path}`);

/** An experiment in the form of its file, every default written out and every preset's figures in its place. */
export const describeExperiment = (experiment: Experiment) => ({
  name: experiment.name,
  model: experiment.modelSource.kind === 'folder' ? folderText(experiment.modelSource.path) : experiment.model.name,
  precision: experiment.precision,
  baseWeights: experiment.baseWeights,
  attention: experiment.attention,
  elementwise: experiment.elementwise,
  cluster: describeCluster(experiment.clusterDescription),
  schedule: experiment.schedule,
  checkpoint: experiment.checkpoint,
  jobs: experiment.jobs.map(describeJob),
});

/** The YAML text of an experiment with every default written out; reading it gives the same experiment. */
export const formatExperiment = (experiment: Experiment): string =>
  stringify(describeExperiment(experiment), { lineWidth: 0, aliasDuplicateObjects: false });

const relocateData = (data: JobData, relocate: (path: string) => string): JobData =>
  data.kind === 'synthetic'
    ? data
    : { ...data, train: relocate(data.train), heldout: data.heldout === null ? null : relocate(data.heldout) };

/** The same experiment with every path changed, e.g. for a copy of the file in another folder. */
export const relocateExperiment = (experiment: Experiment, relocate: (path: string) => string): Experiment => ({
  ...experiment,
  modelSource:
    experiment.modelSource.kind === 'folder'
      ? { kind: 'folder', path: relocate(experiment.modelSource.path) }
      : experiment.modelSource,
  jobs: experiment.jobs.map((job) => ({ ...job, data: relocateData(job.data, relocate) })),
});
