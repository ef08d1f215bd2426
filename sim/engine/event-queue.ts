/**
 * Events in total order (time, priority, sequence). The heap orders by time only and breaks ties arbitrarily, so all
 * events of an instant are taken out together and sorted by their code, which holds priority and sequence.
 */
import FlatQueue from 'flatqueue';

/** What an event is about; smaller codes are handled first within an instant, so that ends free before starts take. */
export const EVENT = { flowEnd: 0, arrival: 1, collectiveEnd: 2, computeEnd: 3, hostStart: 4, wake: 5 } as const;

/** The time of the instant being handled. */
export interface Clock {
  nowNs: number;
}

export interface EventQueue extends Clock {
  readonly heap: FlatQueue;
  sequence: number;
  /** Codes of the events of the current instant, in order; entries from `instantLength` on are left-overs. */
  readonly instant: number[];
  instantLength: number;
}

const TARGETS = 2 ** 16;
const SEQUENCES = 2 ** 32;

export const createEventQueue = (): EventQueue => ({ nowNs: 0, heap: new FlatQueue(), sequence: 0, instant: [], instantLength: 0 });

/** Schedules an event about a device; returns its code, which no other event shares. */
export const pushEvent = (queue: EventQueue, timeNs: number, event: number, device: number): number => {
  const code = (event * SEQUENCES + queue.sequence++) * TARGETS + device;
  queue.heap.push(code, timeNs);
  return code;
};

export const eventOf = (code: number): number => Math.floor(code / (SEQUENCES * TARGETS));

export const deviceOf = (code: number): number => code % TARGETS;

/** Moves the clock to the next instant and all its events into `instant`; false when there are none. */
export const nextInstant = (queue: EventQueue): boolean => {
  const { heap } = queue;
  queue.instantLength = 0;
  const timeNs = heap.peekValue();
  if (timeNs === undefined) return false;
  while (heap.peekValue() === timeNs) insertSorted(queue, heap.pop()!);
  queue.nowNs = timeNs;
  return true;
};

const insertSorted = (queue: EventQueue, code: number): void => {
  const { instant } = queue;
  let place = queue.instantLength++;
  for (; place > 0 && instant[place - 1]! > code; place--) instant[place] = instant[place - 1]!;
  instant[place] = code;
};
