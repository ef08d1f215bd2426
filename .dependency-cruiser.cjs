/** The import table of the architecture (docs/architecture.md): what each folder may import. */
const only = (folder, allowed) => ({
  name: `${folder}-imports`,
  comment: `${folder}/ may import ${allowed.length === 0 ? 'nothing of ours' : allowed.join(', ')}: move the code, or hand the value in as an argument`,
  severity: 'error',
  from: { path: `^${folder}/` },
  to: { path: '^(core|sim|exec|viz|serve|experiments|cli|test)/', pathNot: `^(${[folder, ...allowed].join('|')})/` },
});

const library = (name, pattern, folders) => ({
  name: `${name}-only-in-${folders.join('-')}`,
  comment: `${name} stays inside ${folders.join(', ')}`,
  severity: 'error',
  from: { path: '^(core|sim|exec|viz|serve|experiments|cli)/', pathNot: `^(${folders.join('|')})/` },
  to: { path: pattern },
});

module.exports = {
  forbidden: [
    only('core', []),
    only('sim', ['core']),
    only('exec', ['core']),
    {
      ...only('viz', ['core']),
      from: { path: '^viz/', pathNot: '^viz/page/' },
    },
    { ...only('viz', ['core', 'sim']), name: 'viz-page-imports', from: { path: '^viz/page/' } },
    only('serve', ['core', 'sim', 'exec', 'viz']),
    only('experiments', ['core', 'sim', 'exec', 'viz', 'serve']),
    only('cli', ['core', 'sim', 'exec', 'viz', 'serve', 'experiments']),
    {
      name: 'browser-code',
      comment: 'core, sim and viz run unchanged in a browser: no Node built-ins',
      severity: 'error',
      from: { path: '^(core|sim|viz)/' },
      to: { dependencyTypes: ['core'] },
    },
    library('tensorflow', 'node_modules/@tensorflow', ['exec']),
    library('d3', 'node_modules/(@types/)?d3', ['viz']),
    // The bench of the server has a bare fastify as its peer.
    library('fastify', 'node_modules/(@fastify|fastify)/', ['serve', 'experiments/bench']),
    library('sqlite', 'node_modules/libsql', ['serve']),
    library('csv-stringify', 'node_modules/csv-stringify', ['experiments', 'cli']),
    {
      name: 'fp-ts-deep',
      comment: 'import fp-ts as fp-ts/lib/X.js: the bare path breaks plain Node ESM',
      severity: 'error',
      from: {},
      to: { path: 'node_modules/fp-ts/(?!lib/)' },
    },
    {
      name: 'fit-sees-fit-rows-only',
      comment: "only a data set's own data-set.ts reads its rows: score() hands the fit those it may see",
      severity: 'error',
      from: { path: '^experiments/', pathNot: '^experiments/scorecard/[^/]+/data-set\\.ts$' },
      to: { path: '^experiments/scorecard/[^/]+/rows\\.ts$', dependencyTypesNot: ['type-only'] },
    },
    { name: 'no-cycles', comment: 'break the cycle: one of the files knows too much', severity: 'error', from: { path: '^(core|sim|exec|viz|serve|cli|experiments)/' }, to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } } },
    {
      name: 'name-the-thing',
      comment: 'no utils, helpers, common, manager: name what the file holds',
      severity: 'error',
      from: {},
      to: { path: '/(utils|util|helpers|helper|common|manager|misc)[/.]', pathNot: 'node_modules' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'default', 'types'] },
  },
};
