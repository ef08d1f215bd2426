import { basename, extname, join } from 'node:path';
import { pipe } from 'fp-ts/lib/function.js';
import * as TE from 'fp-ts/lib/TaskEither.js';
import { readText } from '../../exec/run/open-experiment.ts';
import { readClusterFile, type ClusterFile } from '../../experiments/cluster/cluster-file.ts';
import { clusterCsv, clusterSvg, formatCluster, jobsCsv } from '../../experiments/cluster/cluster-report.ts';
import { runCluster } from '../../experiments/cluster/run-cluster.ts';
import { badFiles, type Failure } from '../failure.ts';
import { provenance } from '../provenance.ts';
import { prepareFolder, writeResults } from '../write-results.ts';

export interface ScheduleFlags {
  readonly out?: string;
}

/** `mlora schedule`: simulates jobs that come to a cluster over time, under every policy. */
export const scheduleCommand = (path: string, { out }: ScheduleFlags): TE.TaskEither<Failure, void> => {
  const folder = out ?? join('runs', basename(path, extname(path)));
  return pipe(
    readText(path),
    TE.chainEitherK((text) => readClusterFile(path, text)),
    TE.mapLeft(badFiles),
    TE.chainFirst(() => prepareFolder(folder)),
    TE.chain((file) => simulateAndWrite(file, folder)),
  );
};

const simulateAndWrite = (file: ClusterFile, folder: string): TE.TaskEither<Failure, void> => {
  const results = runCluster(file);
  const files = {
    'results.csv': clusterCsv(results),
    'jobs.csv': jobsCsv(results),
    'completion.svg': clusterSvg(file, results),
    'run.json': JSON.stringify(provenance(), null, 2),
  };
  return pipe(
    writeResults(folder, files),
    TE.map(() => void process.stdout.write(`${formatCluster(results)}\n\nresults and pictures are in ${folder}\n`)),
  );
};
