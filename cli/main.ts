#!/usr/bin/env node
import { Command, Option } from 'commander';
import { isLeft } from 'fp-ts/lib/Either.js';
import type { TaskEither } from 'fp-ts/lib/TaskEither.js';
import { compareCommand, type CompareFlags } from './commands/compare.ts';
import { planCommand, type PlanFlags } from './commands/plan.ts';
import { simulateCommand, type SimulateFlags } from './commands/simulate.ts';
import { trainCommand, type TrainFlags } from './commands/train.ts';
import { exitCodeOf, formatFailure, type Failure } from './failure.ts';

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
  .option('--text', 'print one line of ops per device instead')
  .action((path: string, flags: PlanFlags) => runMain(planCommand(path, flags)));

program
  .command('simulate')
  .description('replay an experiment in virtual time')
  .argument('<experiment|plan>', 'experiment file (YAML) or plan file (.json)')
  .option('--json', 'print one JSON object and nothing else')
  .option('--out <folder>', 'write trace, timeline and report into a folder')
  .action((path: string, flags: SimulateFlags) => runMain(simulateCommand(path, flags)));

program
  .command('train')
  .description('simulate an experiment, then train its adapters for real')
  .argument('<experiment>', 'experiment file (YAML) with a model folder and data files')
  .addOption(new Option('--backend <name>', 'tensor backend').choices(['auto', 'wasm', 'cpu']).default('auto'))
  .option('--out <folder>', 'folder for adapters, traces and report', 'runs/latest')
  .action((path: string, flags: TrainFlags) => runMain(trainCommand(path, flags)));

program
  .command('compare')
  .description('simulate an experiment under every schedule')
  .argument('<experiment>', 'experiment file (YAML)')
  .option('--json', 'print one JSON object and nothing else')
  .option('--out <folder>', 'write table and report into a folder')
  .action((path: string, flags: CompareFlags) => runMain(compareCommand(path, flags)));

try {
  await program.parseAsync();
} catch (error) {
  // Commander has printed its message already; anything else is ours.
  if (!(error instanceof Error && 'exitCode' in error && typeof error.exitCode === 'number')) throw error;
  process.exitCode = error.exitCode === 0 ? 0 : 2;
}
