import * as E from 'fp-ts/lib/Either.js';
import { describe, expect, it } from 'vitest';
import { resolveExperiment } from '../../../core/experiment/read.ts';
import { convertReleasedConfig, type Conversion } from '../../../core/released-config/convert.ts';
import { convertTemplate } from '../../../core/released-config/template.ts';
import { compileTemplate } from '../../../exec/data/prompt-template.ts';
import { context } from '../experiment/file.ts';

const modules = { q_proj: true, k_proj: false, v_proj: true, gate_proj: false };
const adapter = { name: 'a', type: 'lora', path: 'adapters/a', optimizer: 'adamw', lr: '3e-4', r: 8, alpha: 16, dropout: 0.05, target_modules: modules };
const dataset = { name: 'd', data: 'data.json', prompt: 'prompt.yaml', prompt_type: 'instruction', preprocess: 'shuffle' };
const task = { type: 'train', name: 'task_0', adapter: 'a', dataset: 'd', batch_size: 8, mini_batch_size: 4, num_epochs: 2, cutoff_len: 64, save_step: 10 };
const file = { dispatcher: { name: 'default', concurrency_num: 2 }, datasets: [dataset], adapters: [adapter], tasks: [task] };

const convert = (changes: object): Conversion =>
  convertReleasedConfig({ ...file, ...changes }, {
    name: 'imported',
    model: './tiny',
    cluster: '2xcpu',
    promptFile: (path) => (path === 'prompt.yaml' ? { template: "Q: {{ data_point['q'] }}\nA: {{ data_point['a'] }}\n" } : null),
    relocate: (path) => `../${path}`,
  });

const jobsOf = ({ experiment }: Conversion): readonly unknown[] => {
  const read = resolveExperiment(experiment, context);
  return E.isRight(read) ? read.right.jobs : [read.left];
};

describe('a configuration of the released code', () => {
  it('becomes an experiment that its reader takes', () => {
    const conversion = convert({});
    expect(jobsOf(conversion)).toMatchObject([
      {
        name: 'task_0',
        adapter: { type: 'lora', rank: 8, alpha: 16, dropout: 0.05, targetModules: ['q_proj', 'v_proj'] },
        optimizer: { type: 'adamw', learningRate: 3e-4, weightDecay: 0.01 },
        data: { train: '../data.json', prompt: 'Q: {{ q }}\nA: ', completion: '{{ a }}', loss: 'all', maximumLength: 64 },
        batchSize: 8,
        duration: { kind: 'epochs', epochs: 2 },
      },
    ]);
    expect(conversion.experiment).toMatchObject({ schedule: { type: 'lorapp', microbatches: 2 }, checkpoint: { every: 5 } });
    expect(conversion.mapped).toContain('adapters[0].lr "3e-4" → jobs[0].optimizer.learningRate');
    expect(conversion.unmapped).toEqual([
      'dispatcher.concurrency_num 2: an experiment trains all its jobs at once; a server takes it as mlora serve --slots',
      'dispatcher.name "default": which job runs first is chosen with mlora serve --policy',
      'adapters[0].path "adapters/a": adapters are written to adapters/NAME below --out, or downloaded from a server',
    ]);
  });

  it('whose prompt file cannot be read is no complete experiment, and the prompt is not called mapped', () => {
    const conversion = convert({ datasets: [{ ...dataset, prompt: 'gone.yaml' }] });
    const paths = E.match((problems: readonly { readonly path: string }[]) => problems.map(({ path }) => path), () => [] as string[])(resolveExperiment(conversion.experiment, context));
    expect(paths).toEqual(['jobs[0].data.prompt', 'jobs[0].data.completion']);
    expect(conversion.mapped.filter((line) => line.includes('gone.yaml'))).toEqual([]);
    expect(conversion.unmapped).toContain('datasets[0].prompt "gone.yaml": cannot be read, or is no prompt file; write jobs[0].data.prompt and completion yourself');
  });

  it.each([
    [{ type: 'loraplus', lr_ratio: 8 }, { adapter: { type: 'lora' }, optimizer: { learningRateRatio: 8 } }],
    [{ type: 'dora' }, { adapter: { type: 'dora', alpha: 16 } }],
    [{ type: 'vera', r: 256, d_initial: 0.5 }, { adapter: { type: 'vera', rank: 256, initialScale: 0.5 } }],
    [{ optimizer: 'sgd', momentum: 0.9 }, { optimizer: { type: 'sgd', momentum: 0.9 } }],
    [{ lrscheduler: 'cosine', t_max: 100, eta_min: 0 }, { optimizer: { schedule: { type: 'cosine' } } }],
  ])('keeps the kind of adapter and optimizer: %j', (changes, expected) => {
    const conversion = convert({ adapters: [{ ...adapter, ...changes }] });
    expect(jobsOf(conversion)).toMatchObject([expected]);
    expect(conversion.unmapped.filter((line) => line.includes('not known'))).toEqual([]);
  });

  it('loses no key without a word', () => {
    const conversion = convert({
      adapters: [{ ...adapter, odd: 1, lrscheduler: 'cosine', t_max: 100, target_modules: { q_proj: true, dense: true } }],
      tasks: [{ ...task, extra: true }, { ...task, type: 'dpo', name: 'd' }, { ...task, adapter: 'none' }],
      datasets: [{ ...dataset, preprocess: 'sort', prompt: 'gone.yaml' }],
      more: {},
    });
    for (const line of ['adapters[0].odd', 'adapters[0].t_max', 'adapters[0].target_modules dense', 'tasks[0].extra', 'tasks[1] of type "dpo"', 'tasks[2]', 'datasets[0].preprocess', 'datasets[0].prompt', 'more']) {
      expect(conversion.unmapped.filter((each) => each.startsWith(line))).toHaveLength(1);
    }
  });

  it('gives two tasks of one name two folders', () => {
    expect(jobsOf(convert({ tasks: [task, task] }))).toMatchObject([{ name: 'task_0' }, { name: 'task_0-1' }]);
  });

  it('without a task that can be a job is no experiment', () => {
    expect(convert({ tasks: [{ ...task, type: 'ppo', adapter: { actor: 'a' } }] }).experiment).toBeNull();
  });
});

describe('a prompt file', () => {
  const render = (prompt: unknown, row: Record<string, unknown>): string => {
    const { prompt: first, completion } = convertTemplate(prompt)!;
    return [first, completion].map((part) => E.toUnion(compileTemplate(part)) as { render: (fields: object) => string }).map((part) => part.render(row)).join('');
  };
  const template = "### Instruction:\n{{ data_point['instruction'] + '\\n'}}\n{% if 'input' in data_point %}\n### Input:\n{{ data_point.input }}\n{% endif %}\n### Output:\n{{ data_point['chosen'] + '\\n'}}\n";

  it('renders a row as Python would', () => {
    expect(render({ template }, { instruction: 'add', input: '1', chosen: '2' })).toBe('### Instruction:\nadd\n\n\n### Input:\n1\n\n### Output:\n2\n');
    expect(render({ template }, { instruction: 'add', chosen: '2' })).toBe('### Instruction:\nadd\n\n\n### Output:\n2\n');
  });

  it('is cut before the field that comes last', () => {
    expect(convertTemplate({ template })?.completion).toBe("{{ chosen + '\\n'}}");
  });

  it.each([[{ instruction: 'add', input: '1', output: '2' }, 'I add\nX 1\nO 2'], [{ instruction: 'add', output: '2' }, 'I add\nO 2']])(
    'of the older kind chooses by the fields of the row: %j',
    (row, text) => {
      const older = { prompt: 'I {instruction}\nX {input}\nO {output}', prompt_no_input: 'I {instruction}\nO {output}' };
      expect(render(older, row)).toBe(text);
    },
  );

  it('that is none is told', () => {
    expect(convertTemplate({ text: 'x' })).toBeNull();
    expect(convertTemplate({ template: '{{ data_point | tojson }}' })?.notes).toHaveLength(1);
  });
});
