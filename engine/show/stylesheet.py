"""stylesheet: how the report looks, on light and dark screens and on paper."""

STYLESHEET = """
:root { --ink: #1c1e21; --quiet: #646a73; --rule: #e2e5e9; --ground: #ffffff; --soft: #f6f7f9; --accent: #0072b2;
  --tint: 0, 114, 178; --caution: #fff6e0; --caution-edge: #e0a100; --marked: #eef6fb; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8eaed; --quiet: #9aa0a8; --rule: #34383e; --ground: #17191c;
  --soft: #1f2226; --accent: #6cb8e6; --tint: 86, 180, 233; --caution: #33290f; --caution-edge: #c08a00;
  --marked: #1c2a33; } }
* { box-sizing: border-box; }
html { scroll-padding-top: 3.2rem; }
body { margin: 0 auto; max-width: 1180px; padding: 2.2rem 1.6rem 4rem; color: var(--ink); background: var(--ground);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
h1 { font-size: 1.75rem; line-height: 1.2; letter-spacing: -0.015em; margin: 0; overflow-wrap: anywhere; }
.subtitle { color: var(--quiet); margin: 0.3rem 0 0; overflow-wrap: anywhere; }
.facts { display: flex; flex-wrap: wrap; gap: 0.4rem 2.2rem; margin: 1.2rem 0 0; padding: 0; }
.facts dt { color: var(--quiet); font-size: 0.8rem; }
.facts dd { margin: 0; font-size: 1.15rem; font-weight: 600; font-variant-numeric: tabular-nums; }
.caution { margin-top: 0.8rem; padding: 0.55rem 0.9rem; background: var(--caution);
  border-left: 4px solid var(--caution-edge); border-radius: 3px; }
.facts + .caution { margin-top: 1.3rem; }
.caution strong { margin-right: 0.6em; }
nav { position: sticky; top: 0; z-index: 1; display: flex; flex-wrap: wrap; gap: 0 1.3rem; margin: 1.4rem 0 0;
  padding: 0.6rem 0; background: var(--ground); border-bottom: 1px solid var(--rule); }
a { color: var(--accent); text-decoration: none; }
a:hover { text-decoration: underline; }
section { margin-top: 2rem; }
h2 { font-size: 1.2rem; letter-spacing: -0.01em; margin: 0 0 0.7rem; }
summary { cursor: pointer; }
summary h2 { display: inline-block; }
section p { max-width: 75ch; margin: 0 0 0.9rem; overflow-wrap: anywhere; }
figure { margin: 0 0 1.8rem; break-inside: avoid; }
figure img { display: block; max-width: 100%; height: auto; background: #fff; border: 1px solid var(--rule);
  border-radius: 4px; }
figcaption { margin-top: 0.45rem; overflow-wrap: anywhere; }
figcaption span, .linked span { color: var(--quiet); margin-left: 0.4em; }
.linked { margin: 0 0 0.3rem; }
.scroll { overflow-x: auto; margin: 0 0 1.6rem; }
table { border-collapse: collapse; font-size: 0.9rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; color: var(--quiet); padding-bottom: 0.4rem; }
th, td { padding: 0.38rem 0.8rem; text-align: left; vertical-align: top; border-bottom: 1px solid var(--rule); }
th { color: var(--quiet); font-weight: 600; white-space: nowrap; border-bottom: 2px solid var(--rule); }
th:first-child, td:first-child { padding-left: 0.5rem; }
td.text, td.code { max-width: 34rem; overflow-wrap: anywhere; min-width: 5rem; }
th.number, td.number, th.share, td.share { text-align: right; white-space: nowrap; }
td.code { font: 0.85rem/1.6 ui-monospace, "SF Mono", Menlo, Consolas, monospace; }
td.share { background: rgba(var(--tint), calc(var(--share, 0%) * 0.6)); }
tr.marked td { background: var(--marked); font-weight: 600; }
.chip { display: inline-block; width: 0.75em; height: 0.75em; border-radius: 2px; margin-right: 0.4em; }
footer { margin-top: 3rem; padding-top: 0.8rem; border-top: 1px solid var(--rule); color: var(--quiet); }
@media print { :root { --ink: #000; --quiet: #444; --rule: #ccc; --ground: #fff; --caution: #fff; --tint: 0, 114, 178;
  --marked: #f0f0f0; } body { max-width: none; padding: 0; font-size: 10pt; } nav { display: none; }
  h2 { break-after: avoid; } figure img { max-height: 22cm; width: auto; } .scroll { overflow: visible; }
  tr { break-inside: avoid; } * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  @page { margin: 14mm; } }
"""
