import { groupedBars, type GroupedBars } from '../../../viz/chart/grouped-bars.ts';
import { heatMap, type HeatMap } from '../../../viz/chart/heat-map.ts';
import { lineChart, type LineChart } from '../../../viz/chart/line-chart.ts';
import { scatterChart, type ScatterChart } from '../../../viz/chart/scatter-chart.ts';

/** Charts with made-up values of the shapes that experiments have. */

export const BARS: GroupedBars = {
  title: 'Throughput',
  subtitle: 'Made-up values; four adapters, batch size 8.',
  groups: ['TinyLlama-1.1B', 'Llama-2-7B', 'Llama-2-13B'],
  groupName: 'model',
  y: { label: 'throughput', unit: 'tokens/s' },
  series: [
    { name: 'FSDP', values: [3100, 1520, null], missing: [null, null, 'OOM'], reference: [2900, 1600, null] },
    { name: '1F1B', values: [4200, 1391, 700], reference: [null, 1300, null] },
    { name: 'LoRAPP', values: [6100, 2233, 1180], reference: [6000, 2364, 1100] },
  ],
  referenceName: 'reference',
};

export const LINES: LineChart = {
  title: 'Scaling',
  subtitle: 'Made-up values.',
  x: { label: 'devices', unit: null, scale: 'log2' },
  y: { label: 'throughput', unit: 'tokens/s', scale: 'log' },
  series: [
    { name: 'LoRAPP', points: [[1, 600], [2, 1180], [4, 2300], [8, 4400], [64, 33000]], reference: [[2, 1100], [8, 4000]] },
    { name: '1F1B', points: [[1, 600], [2, 900], [4, null], [8, 2400], [64, 15000]] },
  ],
  referenceName: 'reference',
};

export const HEAT: HeatMap = {
  title: 'Bubble ratio',
  subtitle: 'Made-up values.',
  quantity: { label: 'bubble ratio', unit: null },
  columns: ['1', '2', '3', '4', '5', '6', '7', '8'],
  columnName: 'adapters',
  rows: ['2 devices', '4 devices', '8 devices'],
  rowName: 'cluster',
  values: [
    [0.2, 0.1, 0, 0, 0, 0, 0, 0],
    [0.43, 0.3, 0.1, 0.02, 0, 0, 0, 0],
    [0.64, 0.5, 0.4, 0.3, 0.2, 0.1, 0.05, null],
  ],
  format: '.2f',
};

export const SCATTER: ScatterChart = {
  title: 'Predicted and measured',
  subtitle: 'Made-up values.',
  quantity: { label: 'makespan', unit: 's' },
  tolerance: 0.05,
  series: [
    { name: 'demo', points: [{ measured: 10, predicted: 10.4 }, { measured: 22, predicted: 20 }] },
    { name: 'SmolLM2', points: [{ measured: 31, predicted: 31.1 }, { measured: 44, predicted: 47 }] },
  ],
};

export const CHARTS = [groupedBars(BARS), lineChart(LINES), heatMap(HEAT), scatterChart(SCATTER)];
