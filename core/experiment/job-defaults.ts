import { isRecord, type PathSegments } from '../structure.ts';

/** Keys that exclude each other: a job that has one of a set ignores defaults from the other set. */
const ALTERNATIVES: readonly (readonly (readonly string[])[])[] = [
  [['iterations'], ['epochs']],
  [
    ['train', 'heldout', 'split', 'format', 'prompt', 'completion', 'loss', 'order', 'maximumLength'],
    ['lengths', 'rows'],
  ],
  [['format'], ['prompt', 'completion']],
];

/** Objects that make sense as a whole only. */
const WHOLE: readonly string[] = ['lengths'];

/** Keys that only some types of adapters and optimizers have: a job of another type does without the defaults' ones. */
const KEYS_OF_TYPE: Readonly<Record<string, readonly string[]>> = {
  lora: ['alpha'],
  rslora: ['alpha'],
  dora: ['alpha'],
  vera: ['projectionSeed', 'initialScale'],
  adamw: ['beta1', 'beta2', 'epsilon'],
  sgd: ['momentum'],
};

const isOfAnotherType = (key: string, type: unknown): boolean => {
  const own = typeof type === 'string' && Object.hasOwn(KEYS_OF_TYPE, type) ? KEYS_OF_TYPE[type]! : null;
  return own !== null && !own.includes(key) && Object.values(KEYS_OF_TYPE).some((keys) => keys.includes(key));
};

const isExcluded = (key: string, own: Readonly<Record<string, unknown>>): boolean =>
  isOfAnotherType(key, own.type) ||
  ALTERNATIVES.some((sets) =>
    sets.some((set) => set.includes(key) && sets.some((other) => other !== set && other.some((name) => name in own))),
  );

const fill = (key: string, standard: unknown, own: unknown): unknown =>
  own === undefined ? standard : WHOLE.includes(key) ? own : fillFromDefaults(standard, own);

/** A job as written, with what it leaves out taken from `defaults`, key by key at every depth. */
export const fillFromDefaults = (defaults: unknown, job: unknown): unknown => {
  if (!isRecord(defaults) || !isRecord(job)) return job;
  const inherited = Object.entries(defaults).filter(([key]) => !isExcluded(key, job));
  return { ...job, ...Object.fromEntries(inherited.map(([key, value]) => [key, fill(key, value, job[key])])) };
};

const contains = (value: unknown, segments: PathSegments): boolean =>
  segments.length === 0 ||
  (typeof value === 'object' &&
    value !== null &&
    Object.hasOwn(value, segments[0]!) &&
    contains(Reflect.get(value, segments[0]!), segments.slice(1)));

/** Whether a value of the filled job is the defaults' and not the job's own. */
export const isInherited = (defaults: unknown, job: unknown, segments: PathSegments): boolean =>
  !contains(job, segments) && contains(defaults, segments);
