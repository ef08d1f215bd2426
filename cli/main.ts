#!/usr/bin/env node
import { Command, Option } from 'commander';
import { isLeft } from 'fp-ts/lib/Either.js';
import type { TaskEither } from 'fp-ts/lib/TaskEither.js';
import { calibrateCommand, type CalibrateFlags } from './commands/calibrate.ts';
import { compareCommand, type CompareFlags } from './commands/compare.ts';
import { explainCommand, type ExplainFlags } from './commands/explain.ts';
import { generateCommand, type GenerateFlags } from './commands/generate.ts';
import { mergeCommand, type MergeFlags } from './commands/merge.ts';
import { PLAN_FORMATS, planCommand, type PlanFlags } from './commands/plan.ts';
import { reproduceCommand, type ReproduceFlags } from './commands/reproduce.ts';
import { scheduleCommand, type ScheduleFlags } from './commands/schedule.ts';
import { simulateCommand, type SimulateFlags } from './commands/simulate.ts';
import { sweepCommand, type SweepFlags } from './commands/sweep.ts';
import { trainCommand, type TrainFlags } from './commands/train.ts';
import { validateCommand, type ValidateFlags } from './commands/validate.ts';
import { viewCommand, type ViewFlags } from './commands/view.ts';
import { BACKEND_NAMES } from '../exec/backend/backend.ts';
import { COLOUR_BY } from '../viz/timeline/colour-by.ts';
import { exitCodeOf, formatFailure, type Failure } from './failure.ts';
import { numberArgument } from './number-argument.ts';

/** Runs a command; the one place where a TaskEither is run and exit codes are set. */
const runMain = async (command: TaskEither<Failure, void>): Promise<void> => {
  const result = await command();
  if (!isLeft(result)) return;
  process.stderr.write(`mlora: ${formatFailure(result.left)}\n`);
  process.exitCode = exitCodeOf(result.left);
};

const program = new Command('mlora')
  .description('Plan, simulate and run pipeline-parallel fine-tuning of many LoRA adapters on one frozen language model.')
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
  .action((path: string, flags: PlanFlags) => runMain(planCommand(path, flags)));

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
  .action((path: string, flags: SimulateFlags) => runMain(simulateCommand(path, flags)));

program
  .command('train')
  .description('simulate an experiment, then train its adapters for real')
  .argument('<experiment>', 'experiment file (YAML) with a model folder and data files')
  .addOption(new Option('--backend <name>', 'tensor backend').choices(['auto', ...BACKEND_NAMES]).default('auto'))
  .option('--out <folder>', 'folder for adapters, checkpoints, traces and report', 'runs/latest')
  .option('--resume', 'go on from the checkpoints in the folder of --out')
  .option('--profile <file>', 'device profile that `mlora calibrate` wrote')
  .action((path: string, flags: TrainFlags) => runMain(trainCommand(path, flags)));

program
  .command('calibrate')
  .description('measure short runs of an experiment on this machine and fit a device profile')
  .argument('<experiment>', 'experiment file (YAML) with a model folder and data files')
  .option('--out <file>', 'profile file to write', 'profile.json')
  .option('--iterations <n>', 'iterations of each adapter in each of the six short runs', numberArgument(1, true), 10)
  .addOption(new Option('--backend <name>', 'tensor backend').choices(['auto', ...BACKEND_NAMES]).default('auto'))
  .action((path: string, flags: CalibrateFlags) => runMain(calibrateCommand(path, flags)));

program
  .command('compare')
  .description('simulate an experiment under every schedule')
  .argument('<experiment>', 'experiment file (YAML)')
  .option('--schedules <types>', 'only these, a comma between them, e.g. lorapp,fsdp')
  .option('--json', 'print one JSON object and nothing else')
  .option('--out <folder>', 'write table and report into a folder')
  .option('--profile <file>', 'device profile that `mlora calibrate` wrote')
  .action((path: string, flags: CompareFlags) => runMain(compareCommand(path, flags)));

program
  .command('validate')
  .description('predict published measurements and print the errors; all data sets: also write the scorecard')
  .argument('[data-set...]', 'data sets; default: all')
  .option('--json', 'print one JSON document and nothing else')
  .option('--out <folder>', 'folder for CSV, JSON and Markdown; default with all data sets: experiments/scorecard')
  .action((names: string[], flags: ValidateFlags) => runMain(validateCommand(names, flags)));

program
  .command('explain')
  .description('say where the idle time of a run comes from and what each cause costs')
  .argument('<experiment|plan|trace>', 'experiment file (YAML), plan file or trace file (.json)')
  .option('--critical-path', 'list the spans that held each other up from start to end')
  .option('--json', 'print one JSON object and nothing else')
  .option('--profile <file>', 'device profile that `mlora calibrate` wrote')
  .action((path: string, flags: ExplainFlags) => runMain(explainCommand(path, flags)));

program
  .command('view')
  .description('serve the page on this machine: a playground for plans, with the traces of a result opened in it')
  .argument('[trace|folder...]', 'trace files, or folders that other commands wrote with --out')
  .option('--port <n>', 'port to serve on; 0 takes a free one', numberArgument(0, true), 0)
  .action((paths: string[], flags: ViewFlags) => runMain(viewCommand(paths, flags)));

program
  .command('sweep')
  .description('simulate a grid of experiments on all cores; points that have a result are not run again')
  .argument('<sweep>', 'sweep file (YAML): name, base experiment, grid of values by path')
  .option('--out <folder>', 'folder for results and pictures; default: runs/ and the name of the file')
  .option('--threads <n>', 'worker threads; default: all cores', numberArgument(1, true))
  .action((path: string, flags: SweepFlags) => runMain(sweepCommand(path, flags)));

program
  .command('schedule')
  .description('simulate a cluster to which jobs come over time, under every scheduling policy')
  .argument('<cluster>', 'cluster file (YAML): name, base experiment, pipelines, arrivals, policies')
  .option('--out <folder>', 'folder for results and pictures; default: runs/ and the name of the file')
  .action((path: string, flags: ScheduleFlags) => runMain(scheduleCommand(path, flags)));

program
  .command('reproduce')
  .description("make the figures of the mLoRA paper's evaluation, our values beside the paper's")
  .argument('[figure...]', 'numbers of figures, 7 to 16; default: all')
  .option('--out <folder>', 'folder for CSV, SVG and report; default: experiments/reproduction/results, or runs/reproduce for some figures')
  .action((names: string[], flags: ReproduceFlags) => runMain(reproduceCommand(names, flags)));

program
  .command('merge')
  .description('write base model + adapter as a plain model folder')
  .argument('<adapter>', 'adapter folder, as `mlora train` or PEFT writes it')
  .requiredOption('--model <folder>', 'folder of the base model')
  .requiredOption('--out <folder>', 'folder to write, which must not exist yet')
  .action((adapter: string, flags: MergeFlags) => runMain(mergeCommand(adapter, flags)));

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
  .action((flags: GenerateFlags) => runMain(generateCommand(flags)));

try {
  await program.parseAsync();
} catch (error) {
  // Commander has printed its message already; anything else is ours.
  if (!(error instanceof Error && 'exitCode' in error && typeof error.exitCode === 'number')) throw error;
  process.exitCode = error.exitCode === 0 ? 0 : 2;
}
