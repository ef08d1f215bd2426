/**
 * JSON schemas of the interface, for the OpenAPI document. They describe; what judges a job is the reader of experiment
 * files, whose messages say more. A test holds the two together.
 */
import { SERVED_EVENT_KINDS } from '../../core/served-job.ts';
import { MODULE_NAMES } from '../../core/model/model.ts';

type Schema = Readonly<Record<string, unknown>>;

const text: Schema = { type: 'string' };
const number: Schema = { type: 'number' };
const whole = (minimum: number, maximum?: number): Schema => ({ type: 'integer', minimum, ...(maximum === undefined ? {} : { maximum }) });
const orNull = (schema: Schema): Schema => ({ anyOf: [schema, { type: 'null' }] });
const list = (items: Schema): Schema => ({ type: 'array', items });
const oneOf = (...words: readonly string[]): Schema => ({ type: 'string', enum: words });

const closed = (properties: Readonly<Record<string, Schema>>, required: readonly string[] = [], description?: string): Schema => ({
  type: 'object',
  additionalProperties: false,
  properties,
  ...(required.length === 0 ? {} : { required }),
  ...(description === undefined ? {} : { description }),
});

const whole1 = whole(1);
const moment: Schema = { type: 'string', format: 'date-time' };

const adapter = closed(
  {
    type: oneOf('lora', 'rslora', 'dora', 'vera'),
    rank: whole1,
    alpha: number,
    dropout: number,
    targetModules: list(oneOf(...MODULE_NAMES)),
    projectionSeed: whole(0),
    initialScale: number,
  },
  ['rank'],
  'alpha is of lora, rslora and dora; projectionSeed and initialScale are of vera',
);

const optimizer = closed(
  {
    type: oneOf('adamw', 'sgd'),
    learningRate: number,
    learningRateRatio: number,
    maxGradientNorm: orNull(number),
    schedule: closed({ type: oneOf('constant', 'linear', 'cosine'), warmup: whole(0) }),
    beta1: number,
    beta2: number,
    epsilon: number,
    weightDecay: number,
    momentum: number,
  },
  [],
  'betas and epsilon are of adamw, momentum is of sgd',
);

const row: Schema = { type: 'object', additionalProperties: true };

const data = closed(
  {
    train: { ...text, description: "file below the server's data folder: .jsonl, .json, .csv or .parquet" },
    heldout: orNull(text),
    rows: { ...list(row), description: 'training rows in the request, in place of train' },
    heldoutRows: { ...list(row), description: 'held-out rows in the request, in place of heldout' },
    split: number,
    format: oneOf('template', 'chat'),
    prompt: text,
    completion: text,
    loss: oneOf('completion', 'all'),
    order: oneOf('shuffled', 'length'),
    maximumLength: whole1,
  },
  [],
  'as in an experiment file; files are copied when the job is taken',
);

/** A job as it is submitted: the keys of a job in an experiment file, and `user`. */
export const SUBMISSION = closed(
  {
    name: text,
    user: { ...text, description: 'for the policy `fair`' },
    priority: { ...whole(-1000, 1000), description: 'larger first' },
    adapter,
    optimizer,
    data,
    batchSize: whole1,
    iterations: whole1,
    epochs: number,
    seed: whole(0),
    evaluate: orNull(closed({ every: whole1 }, ['every'])),
    patience: orNull(closed({ evaluations: whole1, minimumGain: number }, ['evaluations'], 'ends the job when its held-out loss no longer falls')),
    halving: orNull(
      closed(
        { name: { ...text, maxLength: 100 }, trials: whole1, reduction: whole(2), rungs: list(whole1) },
        ['name', 'trials'],
        'a trial of a sweep by successive halving: all its trials say the same; `mlora submit` makes it of a grid',
      ),
    ),
    arrival: { description: 'belongs into simulations; nothing or 0 here' },
  },
  ['name', 'adapter', 'data'],
  "A job as in an experiment file. What it leaves out comes from the `defaults` of the server's experiment file.",
);

export const JOB = closed(
  {
    id: text,
    number: whole1,
    name: text,
    user: text,
    priority: whole(-1000, 1000),
    state: oneOf('waiting', 'running', 'leaving', 'paused', 'completed', 'stopped', 'cancelled', 'failed', 'neverFits'),
    iteration: whole(0),
    iterations: orNull(whole1),
    loss: orNull(number),
    heldoutLoss: orNull(number),
    submittedAt: moment,
    startedAt: orNull(moment),
    finishedAt: orNull(moment),
    cancelled: { type: 'boolean' },
    error: orNull(text),
    adapter: list(text),
  },
  ['id', 'number', 'name', 'user', 'priority', 'state', 'iteration', 'iterations', 'loss', 'heldoutLoss', 'submittedAt', 'startedAt', 'finishedAt', 'cancelled', 'error', 'adapter'],
);

export const JOBS = closed({ jobs: list(JOB) }, ['jobs']);

const points: Schema = list({ type: 'array', items: number, minItems: 2, maxItems: 2, description: 'iteration and loss' });

export const LOSSES = closed({ training: points, heldout: points }, ['training', 'heldout']);

const EVENT = closed(
  {
    sequence: whole1,
    at: moment,
    job: text,
    kind: oneOf(...SERVED_EVENT_KINDS),
    iteration: orNull(whole(0)),
    loss: orNull(number),
    detail: orNull(text),
  },
  ['sequence', 'at', 'job', 'kind', 'iteration', 'loss', 'detail'],
);

/** Each `data` line of the stream is an event. */
export const EVENT_STREAM = { description: 'Server-Sent Events; each data line is an event', content: { 'text/event-stream': { schema: EVENT } } } as const;

/** A folder called like the job, which PEFT loads. */
export const ARCHIVE = { description: 'a tar archive of a PEFT folder', content: { 'application/x-tar': { schema: { type: 'string', format: 'binary' } } } } as const;

export const STATUS = closed(
  {
    version: text,
    name: text,
    model: text,
    devices: list(text),
    policy: text,
    slots: whole1,
    startedAt: moment,
    ready: { type: 'boolean' },
    jobs: { type: 'object', additionalProperties: whole(0) },
    lastEvent: whole(0),
  },
  ['version', 'name', 'model', 'devices', 'policy', 'slots', 'startedAt', 'ready', 'jobs', 'lastEvent'],
);

export const PROBLEMS = closed(
  { error: text, problems: list(closed({ path: text, message: text }, ['path', 'message'])) },
  ['error', 'problems'],
);

export const PRIORITY = closed({ priority: whole(-1000, 1000) }, ['priority']);
export const NAMED_JOB = closed({ job: { ...text, description: 'id of a job, or its number' } }, ['job']);
export const NAMED_FILE = closed({ job: text, file: oneOf('adapter_config.json', 'adapter_model.safetensors') }, ['job', 'file']);
export const LISTING = closed({ state: oneOf('all', 'unfinished', 'finished'), limit: whole(1, 1000), before: whole1 });
export const SINCE = closed({ after: { ...whole(0), description: 'sequence of the last event that is known; the header Last-Event-ID says the same' } });
export const THINNED = closed({ points: { ...whole(10, 10_000), description: 'most points of a curve' } });
export const KEYED: Schema = {
  type: 'object',
  properties: { 'idempotency-key': { ...text, minLength: 1, maxLength: 200, description: 'the same key with the same body gives the same job, however often it is sent' } },
};

/** Answers of every route that needs the token. */
export const FAULTS = { 401: PROBLEMS, 429: PROBLEMS, 500: PROBLEMS } as const;
