import { CAUSE_STYLE } from './bubbles-markup.ts';

/** What the playground adds to the report's style sheet. */
export const PLAYGROUND_STYLE = `
${CAUSE_STYLE}
.swatch{display:inline-block;width:14px;height:11px;margin-right:7px;border:1px solid var(--grid)}
.causes small{display:block;margin-left:21px;color:var(--muted);font-size:12px}
.bars figure{margin:0 0 6px}
.bars figcaption{font-size:12.5px;color:var(--muted)}
.bars figure svg{display:block;width:100%;max-width:720px;height:12px}
.causes :is(th,td){white-space:normal}
header,main,footer{max-width:1800px}
h2{margin-top:24px}
.story-text{display:grid;grid-template-columns:repeat(auto-fit,minmax(320px,1fr));gap:0 32px;max-width:1300px}
.workbench{display:grid;grid-template-columns:minmax(0,1fr);gap:0 28px}
@media (min-width:1080px){.workbench{grid-template-columns:430px minmax(0,1fr)}
.workbench>section:first-child{position:sticky;top:0;align-self:start;max-height:100vh;overflow-y:auto;padding:0 4px 12px 0}}
.setup .fields,.setup .custom{display:grid;grid-template-columns:repeat(auto-fill,minmax(128px,1fr));gap:8px 12px}
.setup .field select,.setup .field input{width:100%;min-width:0}
.setup fieldset{border:1px solid var(--grid);border-radius:8px;padding:8px 10px 10px;margin:12px 0 0;min-width:0}
.setup fieldset[hidden]{display:none}
.setup legend{font-size:13px;color:var(--muted);padding:0 4px}
.field{margin:0 0 4px;min-width:0}
.field label{display:grid;gap:2px;font-size:12.5px;color:var(--muted)}
.jobs .scroll{overflow-x:auto;padding:2px}
.jobs table{width:100%}
.jobs th{font-size:11.5px;line-height:1.2;color:var(--muted);text-align:left;vertical-align:bottom;padding:0 4px 3px 0;border:0}
.jobs td{padding:1px 4px 1px 0;border:0;text-align:left}
.jobs td input{width:100%;min-width:40px;padding:3px 5px}
.jobs button{margin-top:4px}
.jobs td button{margin:0;padding:1px 7px}
.jobs .problems td{padding:0}
.metrics{overflow-x:auto}
.metrics table{width:auto}
.metrics :is(td,th){white-space:nowrap}
.metrics td,.metrics th{padding-right:22px}
.downloads{margin-top:10px;font-size:13px;gap:6px 8px}
.downloads input{max-width:230px}
.problem{margin:0;color:var(--alarm);font-size:12.5px;max-width:70ch}
.problem:empty{display:none}
[aria-invalid=true]{border-color:var(--alarm);outline:1px solid var(--alarm)}
.comparison{font-weight:600}
.comparison:empty{display:none}
.stale .chart,.stale .metrics,.stale .comparison,.stale :is(.bars,.causes){opacity:.55}
`;
