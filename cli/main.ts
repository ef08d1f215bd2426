#!/usr/bin/env node
import { Command, Option } from 'commander';
import { isLeft } from 'fp-ts/lib/Either.js';
import type { TaskEither } from 'fp-ts/lib/TaskEither.js';
import { POLICY_NAMES } from '../core/scheduler/policy.ts';
import { DEFAULT_STATE } from '../serve/places.ts';
import { BACKEND_NAMES } from '../exec/backend/backend.ts';
import { COLOUR_BY } from '../viz/timeline/colour-by.ts';
import { exitCodeOf, formatFailure, type Failure } from './failure.ts';
import { numberArgument, partArgument } from './number-argument.ts';
import { PACKAGE_VERSION } from './package-version.ts';
import { PLAN_FORMATS } from './plan-formats.ts';

/** Runs a command; the one place where a TaskEither is run and exit codes are set. */
const runMain = async (command: TaskEither<Failure, void>): Promise<void> => {
  const result = await command();
  if (!isLeft(result)) return;
  process.stderr.write(`mlora: ${formatFailure(result.left)}\n`);
  process.exitCode = exitCodeOf(result.left);
};

/** A command's action. Its code is loaded when it is called: the libraries of all commands together take a second. */
const lazily =
  <A extends readonly unknown[]>(load: () => Promise<(...given: A) => TaskEither<Failure, void>>) =>
  (...given: A): Promise<void> =>
    runMain(async () => (await load())(...given)());

/** Options that several commands have. */
const joinTimeout = (): Option =>
  new Option('--join-timeout <s>', 'seconds that ranks may take to join').argParser(numberArgument(1, false)).default(300);
const lineTimeout = (): Option =>
  new Option('--line-timeout <s>', 'seconds of silence after which a line between machines is lost').argParser(numberArgument(1, false)).default(20);
const slurmArg = (): Option =>
  new Option('--slurm-arg <option>', 'an option of sbatch, e.g. --slurm-arg=--partition=gpu; may be given several times')
    .argParser((value: string, before: readonly string[]) => [...before, value])
    .default([]);

const program = new Command('mlora')
  .description('Plan, simulate and run pipeline-parallel fine-tuning of many LoRA adapters on one frozen language model.')
  .version(PACKAGE_VERSION)
  .showHelpAfterError()
  .exitOverride();

program
  .command('plan')
  .description('print the plan of an experiment as JSON that `mlora simulate` reads')
  .argument('<experiment>', 'experiment file (YAML)')
  .addOption(
    new Option('--format <name>', "json for `mlora simulate`, text: a line of ops per device, pytorch-csv: one job's first mini-batch as torch.distributed.pipelining loads it")
      .choices(PLAN_FORMATS)
      .default('json'),
  )
  .option('--text', 'the same as --format text')
  .option('--order <csv>', "order of a mini-batch's passes, as torch.distributed.pipelining writes its schedules")
  .option('--profile <file>', 'device profile that `mlora calibrate` wrote')
  .action(lazily(async () => (await import('./commands/plan.ts')).planCommand));

program
  .command('simulate')
  .description('replay an experiment in virtual time')
  .argument('<experiment|plan>', 'experiment file (YAML) or plan file (.json)')
  .option('--json', 'print one JSON object and nothing else')
  .option('--out <folder>', 'write trace, timeline and report into a folder')
  .option('--profile <file>', 'device profile that `mlora calibrate` wrote')
  .addOption(new Option('--theme <name>', 'colours of the pictures in --out').choices(['light', 'dark']).default('light'))
  .option('--width <pixels>', 'width of the pictures in --out; 480 suits a column of a paper', numberArgument(320, true), 960)
  .addOption(new Option('--colours <by>', 'what the colours of the pictures tell apart').choices(COLOUR_BY).default('adapter'))
  .option('--bubbles', 'shade idle time in the pictures by its cause')
  .action(lazily(async () => (await import('./commands/simulate.ts')).simulateCommand));

program
  .command('train')
  .description('simulate an experiment, then train its adapters for real')
  .argument('<experiment>', 'experiment file (YAML) with a model folder and data files')
  .addOption(new Option('--backend <name>', 'tensor backend').choices(['auto', ...BACKEND_NAMES]).default('auto'))
  .option('--out <folder>', 'folder for adapters, checkpoints, traces and report', 'runs/latest')
  .option('--resume', 'go on from the checkpoints in the folder of --out')
  .option('--profile <file>', 'device profile that `mlora calibrate` wrote')
  .addOption(
    new Option('--launcher <name>', 'who starts the ranks: local, this machine; slurm, a job that is submitted; auto, whoever has started this process, else local')
      .choices(['auto', 'local', 'slurm'])
      .default('auto'),
  )
  .addOption(joinTimeout())
  .addOption(lineTimeout())
  .addOption(slurmArg())
  .action(lazily(async () => (await import('./commands/train.ts')).trainCommand));

program
  .command('live')
  .description('run the jobs of an experiment as they arrive, by priority, on ranks that stay up')
  .argument('<experiment>', 'experiment file (YAML) with a model folder, data files, and arrival and priority of its jobs')
  .addOption(new Option('--backend <name>', 'tensor backend').choices(['auto', ...BACKEND_NAMES]).default('auto'))
  .addOption(new Option('--policy <name>', 'which job runs first').choices(POLICY_NAMES).default('priority'))
  .option('--slots <n>', 'most jobs at once', numberArgument(1, true), 4)
  .option('--out <folder>', 'folder for adapters, checkpoints and traces; jobs that it holds already go on', 'runs/live')
  .option('--profile <file>', 'device profile that `mlora calibrate` wrote')
  .action(lazily(async () => (await import('./commands/live.ts')).liveCommand));

program
  .command('rank')
  .description('take part as one rank in a run that `mlora train` coordinates as rank 0; a launcher says which rank this is')
  .option('--out <folder>', 'folder of the run, where ranks meet that Slurm has started', 'runs/latest')
  .addOption(joinTimeout())
  .addOption(lineTimeout())
  .action(lazily(async () => (await import('./commands/rank.ts')).rankCommand));

program
  .command('calibrate')
  .description('measure short runs of an experiment on this machine and fit a device profile')
  .argument('<experiment>', 'experiment file (YAML) with a model folder and data files')
  .option('--out <file>', 'profile file to write', 'profile.json')
  .option('--iterations <n>', 'iterations of each adapter in each of the six short runs', numberArgument(1, true), 10)
  .addOption(new Option('--backend <name>', 'tensor backend').choices(['auto', ...BACKEND_NAMES]).default('auto'))
  .action(lazily(async () => (await import('./commands/calibrate.ts')).calibrateCommand));

program
  .command('compare')
  .description('simulate an experiment under every schedule')
  .argument('<experiment>', 'experiment file (YAML)')
  .option('--schedules <types>', 'only these, a comma between them, e.g. lorapp,fsdp')
  .option('--json', 'print one JSON object and nothing else')
  .option('--out <folder>', 'write table and report into a folder')
  .option('--profile <file>', 'device profile that `mlora calibrate` wrote')
  .action(lazily(async () => (await import('./commands/compare.ts')).compareCommand));

program
  .command('validate')
  .description('predict published measurements and print the errors; all data sets: also write the scorecard')
  .argument('[data-set...]', 'data sets; default: all')
  .option('--json', 'print one JSON document and nothing else')
  .option('--out <folder>', 'folder for CSV, JSON and Markdown; default with all data sets: experiments/scorecard')
  .action(lazily(async () => (await import('./commands/validate.ts')).validateCommand));

program
  .command('explain')
  .description('say where the idle time of a run comes from and what each cause costs')
  .argument('<experiment|plan|trace>', 'experiment file (YAML), plan file or trace file (.json)')
  .option('--critical-path', 'list the spans that held each other up from start to end')
  .option('--json', 'print one JSON object and nothing else')
  .option('--profile <file>', 'device profile that `mlora calibrate` wrote')
  .action(lazily(async () => (await import('./commands/explain.ts')).explainCommand));

program
  .command('view')
  .description('serve the page on this machine: a playground for plans, with the traces of a result opened in it')
  .argument('[trace|folder...]', 'trace files, or folders that other commands wrote with --out')
  .option('--port <n>', 'port to serve on; 0 takes a free one', numberArgument(0, true), 0)
  .action(lazily(async () => (await import('./commands/view.ts')).viewCommand));

program
  .command('sweep')
  .description('simulate a grid of experiments on all cores; points that have a result are not run again')
  .argument('<sweep>', 'sweep file (YAML): name, base experiment, grid of values by path')
  .option('--out <folder>', 'folder for results and pictures; default: runs/ and the name of the file')
  .option('--threads <n>', 'worker threads; default: all cores', numberArgument(1, true))
  .option('--part <k/n>', 'run only the k-th of n parts of the grid, without pictures; parts may run at the same time', partArgument)
  .addOption(new Option('--launcher <name>', 'who runs the points: local, this machine; slurm, an array of jobs that is submitted').choices(['local', 'slurm']).default('local'))
  .option('--tasks <n>', 'with --launcher slurm: jobs of the array', numberArgument(1, true), 16)
  .addOption(slurmArg())
  .action(lazily(async () => (await import('./commands/sweep.ts')).sweepCommand));

program
  .command('schedule')
  .description('simulate a cluster to which jobs come over time, under every scheduling policy')
  .argument('<cluster>', 'cluster file (YAML): name, base experiment, pipelines, arrivals, policies')
  .option('--out <folder>', 'folder for results and pictures; default: runs/ and the name of the file')
  .action(lazily(async () => (await import('./commands/schedule.ts')).scheduleCommand));

program
  .command('serve')
  .description('keep the base model loaded and train jobs that come over HTTP, until Ctrl-C')
  .argument('<experiment>', 'experiment file (YAML): model, cluster, schedule, defaults; its jobs are not taken')
  .option('--state <folder>', 'folder of jobs, checkpoints, adapters and token; the same one resumes all of it', DEFAULT_STATE)
  .option('--host <address>', 'address to listen on; anything but a loopback address needs a proxy with TLS', '127.0.0.1')
  .option('--port <n>', 'port to listen on; 0 takes a free one', numberArgument(0, true), 7070)
  .option('--data <folder>', 'folder of the files that jobs may name; default: that of the experiment file')
  .addOption(new Option('--policy <name>', 'which job runs first').choices(POLICY_NAMES).default('priority'))
  .option('--slots <n>', 'jobs that run at once, at most', numberArgument(1, true), 8)
  .option('--slowdown <times>', "bound of a job's iterations beside others, in times of what they take alone; default: none", numberArgument(1, false))
  .addOption(new Option('--backend <name>', 'tensor backend').choices(['auto', ...BACKEND_NAMES]).default('auto'))
  .option('--profile <file>', 'device profile that `mlora calibrate` wrote')
  .option('--max-body <MiB>', 'largest request, rows included', numberArgument(1, true), 32)
  .option('--max-jobs <n>', 'jobs in the queue, at most', numberArgument(1, true), 10_000)
  .option('--rate <n>', 'requests a second from one address, at most', numberArgument(1, true), 500)
  .action(lazily(async () => (await import('./commands/serve.ts')).serveCommand));

/** What every command says that talks to a server. */
const clientOptions = (command: Command): Command =>
  command
    .option('--state <folder>', "folder of the server's state, where address and token are found", DEFAULT_STATE)
    .option('--server <url>', 'address of the server; with the token in MLORA_TOKEN no folder is needed');

const collected = (text: string, earlier: readonly string[] = []): readonly string[] => [...earlier, text];

clientOptions(program.command('submit'))
  .description('hand the jobs of an experiment file to a server')
  .argument('<experiment|job>', 'experiment file (YAML), or a file with the settings of one job')
  .option('--job <name>', 'only this job of the file; may be repeated', collected)
  .option('--user <name>', 'whose jobs they are')
  .option('--priority <n>', 'larger runs first', numberArgument(-1000, true))
  .option('--upload', 'send the rows along instead of naming files of the server')
  .action(lazily(async () => (await import('./commands/submit.ts')).submitCommand));

clientOptions(program.command('ps'))
  .description('list the jobs of a server')
  .option('--all', 'finished jobs, too')
  .option('--json', 'print one JSON array and nothing else')
  .action(lazily(async () => (await import('./commands/ps.ts')).psCommand));

clientOptions(program.command('logs'))
  .description('print what happened to a job and what happens, until it ends')
  .argument('<job>', 'id of the job, or its number')
  .option('--json', 'print a JSON object a line')
  .action(lazily(async () => (await import('./commands/logs.ts')).logsCommand));

clientOptions(program.command('cancel'))
  .description('end jobs at their next iteration ends; what is trained of them is not kept')
  .argument('<job...>', 'ids of jobs, or their numbers')
  .action(lazily(async () => (await import('./commands/cancel.ts')).cancelCommand));

clientOptions(program.command('priority'))
  .description('change the priority of a job; one of a higher priority takes the place of one of a lower at its next iteration end')
  .argument('<job>', 'id of the job, or its number')
  .argument('<n>', 'from -1000 to 1000, larger first', numberArgument(-1000, true))
  .action(lazily(async () => (await import('./commands/priority.ts')).priorityCommand));

clientOptions(program.command('fetch'))
  .description('bring the adapter of a job from a server, as a folder that PEFT loads')
  .argument('<job>', 'id of the job, or its number')
  .option('--out <folder>', 'folder to write, which must not exist yet; default: called like the job')
  .action(lazily(async () => (await import('./commands/fetch.ts')).fetchCommand));

program
  .command('import')
  .description('make an experiment file of a configuration of the code released with the mLoRA paper')
  .argument('<file>', 'its YAML: dispatcher, datasets, adapters, tasks')
  .option('--model <folder>', 'base model, which that code takes on its command line', './model')
  .option('--cluster <name>', 'cluster to train on', '2xcpu')
  .option('--root <folder>', 'folder that the paths in the file are relative to', '.')
  .option('--out <file>', 'experiment file to write; default: standard output')
  .action(lazily(async () => (await import('./commands/import.ts')).importCommand));

program
  .command('reproduce')
  .description("make the figures of the mLoRA paper's evaluation, our values beside the paper's")
  .argument('[figure...]', 'numbers of figures, 7 to 16; default: all')
  .option('--out <folder>', 'folder for CSV, SVG and report; default: experiments/reproduction/results, or runs/reproduce for some figures')
  .action(lazily(async () => (await import('./commands/reproduce.ts')).reproduceCommand));

program
  .command('merge')
  .description('write base model + adapter as a plain model folder')
  .argument('<adapter>', 'adapter folder, as `mlora train` or PEFT writes it')
  .requiredOption('--model <folder>', 'folder of the base model')
  .requiredOption('--out <folder>', 'folder to write, which must not exist yet')
  .action(lazily(async () => (await import('./commands/merge.ts')).mergeCommand));

program
  .command('generate')
  .description('continue a prompt with a model and an adapter')
  .requiredOption('--model <folder>', 'folder of the base model')
  .option('--adapter <folder>', 'adapter folder, as `mlora train` or PEFT writes it')
  .requiredOption('--prompt <text>', 'text to continue')
  .option('--chat', "put the prompt into the model's chat template, as a user's message")
  .option('--max-tokens <n>', 'tokens to generate at most', numberArgument(1, true), 64)
  .option('--temperature <t>', '0 takes the likeliest token every time', numberArgument(0, false), 0)
  .option('--seed <s>', 'seed of the sampling', numberArgument(0, true), 0)
  .addOption(new Option('--backend <name>', 'tensor backend').choices(['auto', ...BACKEND_NAMES]).default('auto'))
  .action(lazily(async () => (await import('./commands/generate.ts')).generateCommand));

try {
  await program.parseAsync();
} catch (error) {
  // Commander has printed its message already; anything else is ours.
  if (!(error instanceof Error && 'exitCode' in error && typeof error.exitCode === 'number')) throw error;
  process.exitCode = error.exitCode === 0 ? 0 : 2;
}
