import { FONT_FAMILY } from './surface/surface.ts';
import { DARK, LIGHT, themeVariables } from './theme.ts';

/** The page's style sheet: the system's colour scheme unless `data-theme` on the root names one. */
export const REPORT_STYLE = `
:root{color-scheme:light;${themeVariables(LIGHT)}}
@media (prefers-color-scheme:dark){:root:not([data-theme=light]){color-scheme:dark;${themeVariables(DARK)}}}
:root[data-theme=dark]{color-scheme:dark;${themeVariables(DARK)}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:15px/1.5 ${FONT_FAMILY};font-variant-numeric:tabular-nums}
header,main,footer{max-width:1440px;margin:0 auto;padding:0 24px}
header{padding-top:28px}
h1{font-size:26px;line-height:1.2;margin:0 0 4px;overflow-wrap:anywhere}
h2{font-size:18px;margin:36px 0 10px}
h3,h4{font-size:14px;margin:18px 0 0;overflow-wrap:anywhere}
h4{font-size:13px;font-weight:400;color:var(--muted);margin:6px 0 0}
p{margin:0 0 8px}
.quiet{color:var(--muted);font-size:13px;overflow-wrap:anywhere}
.skip{position:absolute;left:-9999px}
.skip:focus{left:24px;top:8px;background:var(--paper);padding:4px 8px;z-index:3}
:focus-visible{outline:2px solid var(--main-0);outline-offset:2px}
table{border-collapse:collapse;font-size:14px}
th,td{padding:5px 28px 5px 0;text-align:right;border-bottom:1px solid var(--grid);font-weight:400}
th:first-child{text-align:left}
thead th{color:var(--muted);font-size:13px}
td:last-child,th:last-child{padding-right:0}
.toolbar{display:flex;flex-wrap:wrap;gap:6px;align-items:center;margin:0 0 10px}
button{font:inherit;font-size:13px;color:var(--ink);background:var(--track);border:1px solid var(--grid);border-radius:6px;padding:3px 10px;cursor:pointer}
button:hover{background:var(--idle)}
button.adapter{display:flex;align-items:center;gap:6px;border-color:transparent;background:none;padding:1px 6px;margin-left:-6px;text-align:left;overflow-wrap:anywhere}
button.adapter:hover{background:var(--idle)}
button[aria-pressed=true]{border-color:var(--ink)}
kbd{font:inherit;font-size:12px;border:1px solid var(--grid);border-radius:4px;padding:0 5px;background:var(--track);color:var(--ink)}
.legend{display:flex;flex-wrap:wrap;gap:4px 16px;margin:0 0 6px;padding:0;list-style:none;font-size:13px}
.legend li{display:flex;align-items:center;gap:6px;overflow-wrap:anywhere}
.legend svg{flex:none;width:14px;height:12px}
.chart{position:relative;touch-action:pan-y;user-select:none;-webkit-user-select:none;cursor:grab;border-radius:4px}
.chart.dragging{cursor:grabbing}
.chart canvas{display:block;width:100%}
.chart .axis{position:sticky;top:0;z-index:1;background:var(--paper)}
.minimap{display:block;width:100%;margin:0 0 6px;cursor:grab;touch-action:none}
.toolbar label{display:flex;gap:5px;align-items:center;font-size:13px}
select,input{font:inherit;font-size:13px;color:var(--ink);background:var(--track);border:1px solid var(--grid);border-radius:6px;padding:3px 6px}
.saves{display:contents}
.statistics summary{font-size:14px;margin:14px 0 6px}
.statistics .scroll{overflow-x:auto}
.statistics caption{text-align:left;color:var(--muted);font-size:13px;padding:0 0 4px}
.cursor{position:absolute;top:0;bottom:0;width:1px;background:var(--muted);opacity:.55;pointer-events:none;display:none;z-index:1}
.tooltip{position:fixed;z-index:2;max-width:340px;padding:8px 10px;border:1px solid var(--grid);border-radius:6px;background:var(--paper);box-shadow:0 4px 18px rgba(0,0,0,.18);font-size:12.5px;line-height:1.45;pointer-events:none;visibility:hidden}
.tooltip strong{display:block;overflow-wrap:anywhere}
.tooltip dl{display:grid;grid-template-columns:auto 1fr;gap:0 10px;margin:3px 0 0}
.tooltip dt{color:var(--muted)}
.tooltip dd{margin:0;overflow-wrap:anywhere}
.losses{display:grid;grid-template-columns:repeat(auto-fill,minmax(260px,1fr));gap:18px 28px;max-width:1392px}
.losses svg{width:100%;max-width:380px;height:auto;display:block;font-variant-numeric:tabular-nums}
.losses figure{margin:0}
pre{overflow:auto;max-height:70vh;padding:14px;border:1px solid var(--grid);border-radius:6px;background:var(--track);font-size:12.5px;line-height:1.5}
summary{cursor:pointer;font-size:18px;font-weight:600;margin:36px 0 10px}
footer{padding-top:28px;padding-bottom:36px}
@media (max-width:640px){header,main,footer{padding-left:12px;padding-right:12px}th,td{padding-right:14px}}
@media print{.toolbar,.skip{display:none}.chart .axis{position:static}}
`;
