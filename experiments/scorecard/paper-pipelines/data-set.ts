import type { PaperRun } from '../../reproduction/paper-run.ts';
import type { DataSet, Measure } from '../data-set.ts';
import { readSplit } from '../shipped-file.ts';
import { fitPaper } from './fit.ts';
import { createPredictor, type PipelineQuantity } from './predict.ts';
import { readPipelineRows } from './rows.ts';

type Chosen = (run: PaperRun) => boolean;

const throughput = (name: string, where: Chosen, below: number): Measure<PaperRun, PipelineQuantity> => ({
  name,
  quantity: 'tokensPerSecond',
  unit: 'tokens/s',
  where,
  target: { kind: 'meanError', below },
});

const isFour: Chosen = ({ gpu, gpus, rank }) => gpu === 'A6000' && gpus === 4 && rank === undefined;
const isEight: Chosen = ({ gpu }) => gpu === '3090';
const isScaling: Chosen = ({ system, gpu, gpus, adapters, rank }) => system === 'lorapp' && gpu === 'A6000' && rank === undefined && gpus === adapters && gpus !== 4;
const of =
  (...systems: readonly PaperRun['system'][]) =>
  (run: PaperRun): boolean =>
    systems.includes(run.system);
const both =
  (...conditions: readonly Chosen[]): Chosen =>
  (run) =>
    conditions.every((condition) => condition(run));

/** Pipelines, tensor parallelism and FSDP of the mLoRA paper. */
export const paperPipelines = (): DataSet<PaperRun, PipelineQuantity> => ({
  name: 'paper-pipelines',
  source: 'mLoRA (PVLDB 18, arXiv 2312.02515), Fig. 7, 11, 12 and 13, read off the vector drawings',
  rows: readPipelineRows(),
  split: readSplit('paper-pipelines/split.json'),
  fit: (rows) => {
    const constants = fitPaper(rows);
    const predict = createPredictor();
    return {
      constants: [
        { name: 'microbatches of a mini-batch', value: constants.microbatches, unit: 'of 1, 2, 4, 8' },
        { name: 'release: greedy', value: Number(constants.release === 'greedy'), unit: '0 or 1' },
        { name: 'loss on the first GPU', value: Number(constants.loss === 'head'), unit: '0 or 1' },
        { name: 'bandwidth of a pipeline’s transfers', value: constants.pipelineGigabytesPerSecond, unit: 'GB/s' },
        { name: 'bandwidth of collectives', value: constants.collectiveGigabytesPerSecond, unit: 'GB/s' },
      ],
      predict: (run) => predict(run, constants),
    };
  },
  measures: [
    throughput('LoRAPP, four A6000', both(isFour, of('lorapp')), 0.1),
    throughput('1F1B, four A6000', both(isFour, of('1f1b')), 0.1),
    throughput('TP, four A6000', both(isFour, of('tensorParallel')), 0.15),
    throughput('FSDP, four A6000', both(isFour, of('fsdp')), 0.15),
    throughput('pipelines on eight machines, as released', both(isEight, of('lorapp', '1f1b')), 0.2),
    throughput('TP and FSDP on eight machines', both(isEight, of('tensorParallel', 'fsdp')), 0.2),
    throughput('scaling, two to eight A6000', isScaling, 0.1),
    throughput('ranks 4 to 128', ({ rank }) => rank !== undefined, 0.1),
    { name: 'whether a run fits (1) or not (2)', quantity: 'fit', unit: '', target: { kind: 'decimals', places: 0 } },
  ],
  notes: NOTES,
});

const NOTES: readonly string[] = [
  'Every row is planned and simulated; nothing is a formula. The fp32 rate and the runtime’s 11.8 ms a pass are those of `paper-fp32`. What the paper leaves open is chosen by the fit rows: four microbatches, greedy release (the order that it describes), the loss on the last GPU, and the two bandwidths. 1F1B as published needs slow transfers: 17 MB take about 28 ms from GPU to GPU. The released code sends pickled CPU tensors.',
  '70B on one adapter is 23 % slower than published. The published ratio of one adapter to four is 0.735, which is a pipeline of four with eight microbatches (8/11); 7B has 0.54 and 13B 0.56, four microbatches. The number of microbatches of each panel, which the paper does not state, would settle it.',
  'TP is the released script (PyTorch’s parallel modules around PEFT): every module sums its own input gradient, which makes 10.5 hidden-wide all-reduces a layer where Megatron has 4; embedding and LM head are whole on every GPU. Over 1 Gbit/s that is the published time to 1.5 % with nothing fitted, and 13B runs out of memory on 24 GB as published. PyTorch starts these sums asynchronously: 3 of the 10.5 (what a lora_A sends back, the sum of up_proj) run beside the next product. On four A6000 what is left gives 13B to 0.1 % and 7B within 6 % at the bandwidth above, which is 95 % of what PCIe 4.0 x16 has and more than rings over PCIe are known to reach: more may run beside products than we count. 1.1B is predicted 9 % too slow. A trace of one layer’s backward would settle it.',
  'FSDP at 1.1B is too fast by half: 4,096 tokens take 0.67 s, where our GPUs are busy for 0.43 s: 0.3 s computing, the rest gathers that stand in the way. Gathers run ahead in forward only, because the released script limits them to two units and the tiny units of lora_A and lora_B are always between two layers. What is left, 0.24 s, is 0.6 ms for each of 199 units in each direction; hooks of FSDP units have been reported to take about 1 ms of the host (PyTorch issue 173680), and with two units in flight nothing hides them. At 7B they would be 0.3 s of 2.4. Neither 7B row can tell them from bandwidth, so nothing is fitted for them. A profile of one step’s host thread would settle it.',
  'Eight machines: one adapter of 1.1B takes 12.8 s a step, of 7B 7.1 s, of 13B 7.8 s, although 1.1B computes and sends least. Logits and their gradient travel for 4.5 s each way. 1.1B has both in a row and every hop of an unsplit mini-batch (one microbatch: 14.4 s here); 7B and 13B have logits and gradients pass each other (eight microbatches: 7.1 and 8.1 s here). No one number fits all three (four, as on four A6000, is used here; one for each GPU gives 1.1B +56 %, 7B −15 % and 13B −21 % for 1F1B). With enough adapters all three end near the 4.6 to 5.2 s that the logits need.',
  'OOM: FSDP’s are the whole model on one GPU before it is sharded; tensor parallelism and FSDP have no 8-bit weights, so 70B is in fp32 there. Not predicted: 13B on two GPUs, because our planner holds releases back until memory is free. With no limit at all the greedy order would need 76 GB on two GPUs, but also 59 to 73 GB on three to eight, where the paper ran: how much the released pipeline lets in is not stated. And 70B on eight 3090, where 9 GB of 8-bit weights a GPU leave room; the released loader keeps the other layers on disk, so host memory while loading does not explain it either. The error message would settle it.',
];
