/** What the dashboard adds to the report's style sheet. */
export const DASHBOARD_STYLE = `
.scroll{overflow-x:auto}
.jobs td,.jobs th{padding:4px 16px 4px 0;text-align:left;white-space:nowrap;vertical-align:middle}
.jobs td.wide{white-space:normal;overflow-wrap:anywhere;min-width:8em;max-width:26em}
.jobs tr[hidden]{display:none}
.jobs progress{width:110px;height:9px;accent-color:var(--main-0);vertical-align:middle;margin-right:6px}
.jobs input{width:5.5em}
.jobs .actions{display:flex;gap:6px;align-items:center}
.state-running{font-weight:600}
.state-failed,.state-neverFits,.error{color:var(--alarm)}
.sign-in{display:flex;gap:8px;align-items:end;flex-wrap:wrap;margin:20px 0}
.sign-in label{display:grid;gap:2px;font-size:13px;color:var(--muted)}
.sign-in input{width:26em;max-width:80vw}
.toolbar label:has([data-action=bubbles],[data-action=critical]){display:none}
.empty{color:var(--muted);font-size:13px}
`;
