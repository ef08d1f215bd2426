/*
 * Batch scripts for Slurm. A step that ends because a rank was lost or because its time was up is put back into the queue, and
 * the run goes on from its checkpoints; one that ends by an error of its own, bad input for example, is not.
 */

/** Restarts after a rank was lost; restarts at the end of the job's time are not counted. */
const MOST_RESTARTS = 3;

export interface ScriptOptions {
  readonly name: string;
  /** Folder for the job's output. */
  readonly folder: string;
  /** Program and arguments. */
  readonly command: readonly string[];
  /** `--option=value` of sbatch, after our own, so that they win. */
  readonly arguments: readonly string[];
}

/** A word for bash, whatever characters it has. */
export const quote = (word: string): string => (/^[\w./:=@%+,-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`);

const directives = (lines: readonly string[]): string[] => lines.map((line) => `#SBATCH ${line}`);

const commandLine = (command: readonly string[]): string => command.map(quote).join(' ');

/** One task per device; all machines of the experiment get equally many where it says so. */
export interface Layout {
  readonly tasks: number;
  readonly nodes: number;
  /** null: as many as the scheduler likes on each. */
  readonly tasksPerNode: number | null;
}

export const trainingScript = ({ name, folder, command, arguments: extra }: ScriptOptions, { tasks, nodes, tasksPerNode }: Layout): string =>
  [
    '#!/bin/bash',
    ...directives([
      `--job-name=${name}`,
      `--output=${folder}/%j.out`,
      '--open-mode=append',
      '--requeue',
      '--signal=TERM@120',
      `--nodes=${nodes}`,
      `--ntasks=${tasks}`,
      ...(tasksPerNode === null ? [] : [`--ntasks-per-node=${tasksPerNode}`]),
      ...extra,
    ]),
    '',
    `srun --kill-on-bad-exit=0 ${commandLine(command)}`,
    'code=$?',
    'case $code in',
    '  0 | 1 | 2 | 3) exit $code ;;',
    '  130) scontrol requeue "$SLURM_JOB_ID" ;;',
    `  *) [ "\${SLURM_RESTART_COUNT:-0}" -ge ${MOST_RESTARTS} ] && exit $code`,
    '    scontrol requeue "$SLURM_JOB_ID" ;;',
    'esac',
    '',
  ].join('\n');

/** Tasks of an array take turns; `command` gets the number of its task as `--part`. */
export const arrayScript = ({ name, folder, command, arguments: extra }: ScriptOptions, tasks: number): string =>
  [
    '#!/bin/bash',
    ...directives([`--job-name=${name}`, `--output=${folder}/%A-%a.out`, '--open-mode=append', '--requeue', `--array=1-${tasks}`, '--ntasks=1', ...extra]),
    '',
    `exec ${commandLine(command)} --part "$SLURM_ARRAY_TASK_ID/${tasks}"`,
    '',
  ].join('\n');

/** A script without an array: what is done once all of it is through. */
export const closingScript = ({ name, folder, command, arguments: extra }: ScriptOptions): string =>
  [
    '#!/bin/bash',
    ...directives([`--job-name=${name}`, `--output=${folder}/%j.out`, '--ntasks=1', ...extra]),
    '',
    `exec ${commandLine(command)}`,
    '',
  ].join('\n');
