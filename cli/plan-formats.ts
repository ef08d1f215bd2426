/** What `mlora plan` prints. */
export const PLAN_FORMATS = ['json', 'text', 'pytorch-csv'] as const;
