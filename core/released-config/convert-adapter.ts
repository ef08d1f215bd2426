import { MODULE_NAMES } from '../model/model.ts';
import { isRecord } from '../structure.ts';
import { createTaker, numberOf, said, type Notes, type Taker, type Written } from './written-keys.ts';

/** Types that are LoRA with other settings here. */
const TYPES: ReadonlyMap<unknown, string> = new Map([['lora', 'lora'], ['loraplus', 'lora'], ['dora', 'dora'], ['vera', 'vera']]);

const convertModules = (written: unknown, path: string, notes: Notes): string[] => {
  const chosen = isRecord(written) ? Object.entries(written).filter(([, isOn]) => isOn === true).map(([name]) => name) : [];
  const foreign = chosen.filter((name) => !MODULE_NAMES.some((known) => known === name));
  if (foreign.length > 0) notes.unmapped.push(`${path}.target_modules ${foreign.join(', ')}: modules of other architectures; known are ${MODULE_NAMES.join(', ')}`);
  return chosen.filter((name) => !foreign.includes(name));
};

const convertOptimizer = (keys: Taker, type: unknown, at: string): Written => {
  const name = keys.take('optimizer', `${at}.optimizer.type`);
  const scheduler = keys.take('lrscheduler', `${at}.optimizer.schedule`);
  keys.drop('t_max', "a cosine falls to 0 at the job's last step here");
  keys.drop('eta_min', 'a cosine falls to 0 here');
  return said({
    type: name,
    learningRate: numberOf(keys.take('lr', `${at}.optimizer.learningRate`)),
    learningRateRatio: type === 'loraplus' ? numberOf(keys.take('lr_ratio', `${at}.optimizer.learningRateRatio`)) : undefined,
    momentum: name === 'sgd' ? numberOf(keys.take('momentum', `${at}.optimizer.momentum`)) : undefined,
    schedule: scheduler === 'cosine' ? { type: 'cosine' } : undefined,
  });
};

/** Keys `adapter` and `optimizer` of the job at `at`; null: a kind of adapter that has no place here. */
export const convertAdapter = (written: Written, path: string, at: string, notes: Notes): Written | null => {
  const keys = createTaker(written, path, notes);
  keys.use('name');
  const type = keys.take('type', `${at}.adapter.type`);
  if (!TYPES.has(type)) return null;
  keys.use('target_modules');
  keys.drop('path', `adapters are written to adapters/${at.startsWith('jobs') ? 'NAME' : ''} below --out, or downloaded from a server`);
  const isVera = type === 'vera';
  if (isVera) keys.drop('alpha', 'VeRA has no such scale here, as in PEFT; initialScale is what scales it');
  const adapter = said({
    type: TYPES.get(type),
    rank: numberOf(keys.take('r', `${at}.adapter.rank`)),
    alpha: isVera ? undefined : numberOf(keys.take('alpha', `${at}.adapter.alpha`)),
    dropout: numberOf(keys.take('dropout', `${at}.adapter.dropout`)),
    initialScale: isVera ? numberOf(keys.take('d_initial', `${at}.adapter.initialScale`)) : undefined,
    targetModules: convertModules(written.target_modules, path, notes),
  });
  notes.mapped.push(`${path}.target_modules → ${at}.adapter.targetModules`);
  const optimizer = convertOptimizer(keys, type, at);
  keys.end();
  return { adapter, optimizer };
};
