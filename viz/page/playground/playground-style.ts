/** What the playground adds to the report's style sheet. */
export const PLAYGROUND_STYLE = `
.story{max-width:78ch}
.setup .fields,.setup .custom{display:flex;flex-wrap:wrap;gap:8px 18px}
.setup fieldset{border:1px solid var(--grid);border-radius:8px;padding:8px 12px 12px;margin:12px 0 0}
.setup fieldset[hidden]{display:none}
.setup legend{font-size:13px;color:var(--muted);padding:0 4px}
.field{margin:0 0 4px}
.field label{display:grid;gap:2px;font-size:12.5px;color:var(--muted)}
.jobs .scroll{overflow-x:auto}
.jobs th{font-size:12.5px;color:var(--muted);text-align:left;padding:0 8px 2px 0;border:0}
.jobs td{padding:1px 8px 1px 0;border:0;text-align:left}
.jobs td input{width:86px}
.jobs button{margin-top:4px}
.jobs td button{margin:0;padding:1px 8px}
.jobs .problems td{padding:0}
.problem{margin:0;color:var(--alarm);font-size:12.5px;max-width:70ch}
.problem:empty{display:none}
[aria-invalid=true]{border-color:var(--alarm);outline:1px solid var(--alarm)}
.comparison{font-weight:600}
.comparison:empty{display:none}
.stale .chart,.stale .metrics,.stale .comparison,.stale .bubbles{opacity:.55}
`;
