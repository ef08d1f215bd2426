import { execFileSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { cruise, type ICruiseResult } from 'dependency-cruiser';
import { createRequire } from 'node:module';

/**
 * The architecture diagram, enforced: core knows nothing, sim and exec know core and not each other, viz draws what core
 * describes, serve runs jobs for others, experiments and cli use them all. The rules stand in .dependency-cruiser.cjs.
 */
interface Configuration {
  readonly forbidden: readonly { readonly name: string }[];
  readonly options: Record<string, unknown>;
}

const configuration = createRequire(import.meta.url)('../.dependency-cruiser.cjs') as Configuration;

const violationsIn = async (folders: string[]): Promise<string[]> => {
  const { output } = await cruise(folders, {
    ...configuration.options,
    ruleSet: { forbidden: configuration.forbidden },
    validate: true,
  } as never);
  return (output as ICruiseResult).summary.violations.map(({ rule, from, to }) => `${rule.name}: ${from} → ${to}`);
};

describe('architecture', () => {
  test('every folder imports only what the diagram allows', async () => {
    expect(await violationsIn(['core', 'sim', 'exec', 'viz', 'serve', 'experiments', 'cli'])).toEqual([]);
  }, 60_000);

  test('the rules catch a forbidden import', async () => {
    const names = await violationsIn(['test/fixtures/architecture']);
    expect(names).toEqual(['name-the-thing: test/fixtures/architecture/drawer.ts → test/fixtures/architecture/utils.ts']);
  }, 60_000);

  test('only agreed folders stand at the top level', () => {
    const tracked = execFileSync('git', ['ls-files'], { encoding: 'utf8' }).split('\n');
    const folders = new Set(tracked.filter((path) => path.includes('/')).map((path) => path.split('/')[0]));
    expect([...folders].sort()).toEqual(['.ci', 'cli', 'core', 'docs', 'exec', 'experiments', 'serve', 'sim', 'test', 'viz']);
  });
});
