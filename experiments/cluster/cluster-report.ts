import { stringify } from 'csv-stringify/sync';
import { formatTable } from '../../core/text-table.ts';
import { formatDuration, NS_PER_S } from '../../core/units.ts';
import { chartsSvg } from '../../viz/chart/chart.ts';
import { groupedBars } from '../../viz/chart/grouped-bars.ts';
import type { ClusterFile } from './cluster-file.ts';
import type { ContenderResult, JobFigures } from './run-cluster.ts';

const HOUR = 3600;
const WIDTH = 860;

const rounded = (value: number): number => Number(value.toPrecision(6));

const figuresOf = ({ jobs, meanCompletion, p99Completion, meanSlowdown }: JobFigures) => ({
  jobs,
  mean_completion_s: rounded(meanCompletion),
  p99_completion_s: rounded(p99Completion),
  mean_slowdown: rounded(meanSlowdown),
});

/** A line per policy and priority, and one for all jobs of each policy. */
export const clusterCsv = (results: readonly ContenderResult[]): string =>
  stringify(
    results.flatMap((result) =>
      [['all', result.all] as const, ...result.byPriority].map(([priority, figures]) => ({
        policy: result.name,
        priority,
        ...figuresOf(figures),
        ...(priority === 'all'
          ? { tokens_per_s: rounded(result.tokensPerSecond), utilisation: rounded(result.utilisation), makespan_s: rounded(result.makespanSeconds), preemptions: result.preemptions, refused: result.refused }
          : {}),
      })),
    ),
    {
      header: true,
      columns: ['policy', 'priority', 'jobs', 'mean_completion_s', 'p99_completion_s', 'mean_slowdown', 'tokens_per_s', 'utilisation', 'makespan_s', 'preemptions', 'refused'],
    },
  );

export const formatCluster = (results: readonly ContenderResult[]): string => {
  const priorities = [...(results[0]?.byPriority.keys() ?? [])];
  const time = (seconds: number): string => formatDuration(seconds * NS_PER_S);
  const classes = priorities.length > 1 ? priorities : [];
  return formatTable([
    ['policy', 'mean completion', ...classes.map((priority) => `priority ${priority}`), '99 %', 'slowdown', 'tokens/s', 'utilisation', 'preemptions'],
    ...results.map((result) => [
      result.name,
      time(result.all.meanCompletion),
      ...classes.map((priority) => time(result.byPriority.get(priority)!.meanCompletion)),
      time(result.all.p99Completion),
      result.all.meanSlowdown.toFixed(2),
      result.tokensPerSecond.toFixed(0),
      result.utilisation.toFixed(3),
      String(result.preemptions),
    ]),
  ]);
};

/** Completion times and slowdowns of every policy. */
export const clusterSvg = ({ name, experiment, pipelines }: ClusterFile, results: readonly ContenderResult[]): string => {
  const subtitle = `simulated; ${pipelines} × ${experiment.cluster.name}, ${experiment.model.name}`;
  const groups = results.map((result) => result.name);
  const priorities = [...results[0]!.byPriority.keys()];
  const bars = (title: string, unit: string | null, read: (figures: JobFigures) => number) =>
    groupedBars({
      title: `${name}: ${title}`,
      subtitle,
      groups,
      groupName: 'policy',
      y: { label: title, unit },
      series: [
        { name: 'all jobs', values: results.map(({ all }) => read(all)) },
        ...(priorities.length < 2 ? [] : priorities.map((priority) => ({ name: `priority ${priority}`, values: results.map(({ byPriority }) => read(byPriority.get(priority)!)) }))),
      ],
    });
  return chartsSvg(
    [
      bars('mean completion time', 'h', ({ meanCompletion }) => meanCompletion / HOUR),
      bars('99 % completion time', 'h', ({ p99Completion }) => p99Completion / HOUR),
      bars('mean slowdown', null, ({ meanSlowdown }) => meanSlowdown),
    ],
    { width: WIDTH },
  );
};

/** Every job under every policy. */
export const jobsCsv = (results: readonly ContenderResult[]): string =>
  stringify(
    results.flatMap(({ name, records }) =>
      records.map(({ spec, arrivalNs, startNs, endNs, preemptions, iterations, outcome }) => ({
        policy: name,
        job: spec.id,
        user: spec.user,
        priority: spec.priority,
        iterations,
        arrival_s: rounded(arrivalNs / 1e9),
        start_s: startNs === null ? '' : rounded(startNs / 1e9),
        end_s: endNs === null ? '' : rounded(endNs / 1e9),
        preemptions,
        outcome,
      })),
    ),
    { header: true, columns: ['policy', 'job', 'user', 'priority', 'iterations', 'arrival_s', 'start_s', 'end_s', 'preemptions', 'outcome'] },
  );
