/** What a worker thread of a sweep runs. */
export { evaluatePoint as default } from './evaluate-point.ts';
