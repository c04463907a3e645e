"""What the checks found, to read: lines for a terminal, and a page that needs nothing but a browser.

Both show sentences and counts, never a value of the data.
"""

import os
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from jinja2 import Environment

from jobs.check_results import PastRun
from jobs.expectations import TableCheck


def write(lake_path: Path, checked_at: datetime, checks: Sequence[TableCheck], past_runs: Sequence[PastRun]) -> Path:
    """Write the page into the lake, `checks/index.html`, in place of the last one; gives its path."""
    path = lake_path / "checks" / "index.html"
    path.parent.mkdir(exist_ok=True)
    # In one step, so that nobody who has it open reads half of it.
    unfinished = path.with_suffix(".new")
    unfinished.write_text(page(str(lake_path), checked_at, checks, past_runs))
    os.replace(unfinished, path)
    return path


def page(lake_name: str, checked_at: datetime, checks: Sequence[TableCheck], past_runs: Sequence[PastRun]) -> str:
    """The page as HTML; times are UTC."""
    failed = [finding for check in checks for finding in check.failed]
    return _TEMPLATE.render(
        lake=lake_name,
        checked_at=checked_at,
        checks=checks,
        past_runs=past_runs,
        breaking=sum(finding.fails_the_run for finding in failed),
        warnings=sum(not finding.fails_the_run for finding in failed),
        total=sum(len(check.findings) for check in checks),
        seconds=sum(check.seconds for check in checks),
    )


def summary(checks: Sequence[TableCheck]) -> str:
    """A line per table, then a line per expectation that does not hold."""
    lines = [f"{'table':<30}{'rows':>14}{'held':>8}  worst failure"]
    for check in checks:
        held = f"{len(check.findings) - len(check.failed)}/{len(check.findings)}"
        worst = check.failed[0].severity if check.failed else "none"
        lines.append(f"{check.table_name:<30}{check.row_count:>14,}{held:>8}  {worst}")
    for check in checks:
        for finding in check.failed:
            lines.append(f"{finding.severity}: {check.table_name}: {finding.expectation} Not so: {finding.observed}.")
    return "\n".join(lines)


_TEMPLATE = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string("""\
{% macro verdict(finding) %}
{% if finding.success %}<span class="ok">✓ holds</span>
{% elif finding.success is none %}<span class="bad">? not evaluated</span>
{% elif finding.fails_the_run %}<span class="bad">✗ does not hold</span>
{% else %}<span class="warn">! does not hold</span>
{% endif %}
{% endmacro %}
{% macro badge(fails, warns) %}
{% if fails %}<span class="bad">✗ failed</span>
{% elif warns %}<span class="warn">! warning</span>
{% else %}<span class="ok">✓ passed</span>
{% endif %}
{% endmacro %}
{% macro count(number, class) %}
<td class="number"><span class="{{ class if number else 'none' }}">{{ "{:,}".format(number) }}</span></td>
{% endmacro %}
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ "Checks failed" if breaking else "Checks passed" }} · momostream</title>
<style>
:root { color-scheme: light dark; --ink: #1b1f24; --soft: #57606a; --paper: #f6f7f9; --card: #fff; --line: #d5dae1;
  --ok: #116329; --okbg: #dff5e5; --bad: #a40e26; --badbg: #ffe3e6; --warn: #7a4b00; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ee; --soft: #a3acb8; --paper: #12151a; --card: #1b2027;
  --line: #343b46; --ok: #6ddc8b; --okbg: #12301c; --bad: #ff9aa5; --badbg: #47151d; --warn: #f5c563; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 76rem; padding: 2rem 1.25rem 4rem; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif; }
h1 { font-size: 1.25rem; margin: 0 0 1rem; } h2 { font-size: 1.1rem; margin: 2.25rem 0 .6rem; }
p { margin: .4rem 0; } .soft, th { color: var(--soft); } a { color: inherit; }
.banner { padding: 1rem 1.25rem; border-radius: .6rem; border-left: .4rem solid; }
.banner strong { font-size: 1.35rem; } .banner.ok { background: var(--okbg); } .banner.bad { background: var(--badbg); }
.card { background: var(--card); border: 1px solid var(--line); border-radius: .6rem; overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .94rem; }
th, td { padding: .45rem .9rem; text-align: left; vertical-align: top; border-top: 1px solid var(--line); }
thead th { border-top: 0; font-weight: 600; font-size: .82rem; } td.text { min-width: 24rem; }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
details { margin-top: .8rem; } summary { padding: .7rem .9rem; cursor: pointer; }
summary b { margin-right: .8rem; } code { font: .88em ui-monospace, Menlo, Consolas, monospace; color: var(--soft); }
.observed { min-width: 15rem; overflow-wrap: anywhere; }
.plain { color: var(--ink); font-weight: 400; white-space: normal; }
.ok, .bad, .warn { font-weight: 600; white-space: nowrap; } .none { color: var(--soft); }
.ok { color: var(--ok); } .bad { color: var(--bad); } .warn { color: var(--warn); }
</style>
</head>
<body>
<h1>momostream data checks</h1>
<div class="banner {{ 'bad' if breaking else 'ok' }}">
<strong>{{ "✗ Checks failed" if breaking else "✓ Checks passed" }}</strong>
<p class="plain">
{% if breaking %}
{{ breaking }} expectation{{ "s are" if breaking > 1 else " is" }} critical and not met, or could not be evaluated.
{% else %}
Every critical expectation holds.
{% endif %}
{{ warnings or "No" }} warning{{ "s" if warnings != 1 }}.
</p>
</div>
<p class="soft">{{ checked_at.strftime("%Y-%m-%d %H:%M:%S") }} UTC · {{ total }} expectations of {{ checks | length }}
table{{ "s" if checks | length != 1 }} in {{ "%.0f" % seconds }} s · lake <code>{{ lake }}</code></p>

<h2>Tables</h2>
<div class="card"><table>
<thead><tr><th>Table</th><th>Verdict</th><th class="number">Held</th><th class="number">Rows</th>
<th class="number">Version</th><th class="number">Seconds</th></tr></thead>
<tbody>
{% for check in checks %}
<tr><td><a href="#{{ check.table_name }}">{{ check.table_name }}</a></td>
<td>{{ badge(check.fails_the_run, check.failed) }}</td>
<td class="number">{{ check.findings | length - check.failed | length }} of {{ check.findings | length }}</td>
<td class="number">{{ "{:,}".format(check.row_count) }}</td><td class="number">{{ check.table_version }}</td>
<td class="number">{{ "%.1f" % check.seconds }}</td></tr>
{% endfor %}
</tbody></table></div>

<h2>Expectations</h2>
{% for check in checks %}
<details class="card" id="{{ check.table_name }}"{{ " open" if check.failed }}>
<summary><b>{{ check.table_name }}</b>{{ badge(check.fails_the_run, check.failed) }}</summary>
<table>
<thead><tr><th>Verdict</th><th>Severity</th><th>Expectation</th><th>Row rule</th><th>Observed</th></tr></thead>
<tbody>
{% for finding in check.failed + check.findings | selectattr("success") | list %}
<tr><td>{{ verdict(finding) }}</td><td>{{ finding.severity }}</td><td class="text">{{ finding.expectation }}</td>
<td>{% if finding.rule %}<code>{{ finding.rule }}</code>{% endif %}</td>
<td class="observed">{{ finding.observed }}</td></tr>
{% endfor %}
</tbody></table></details>
{% endfor %}

<h2>Last runs</h2>
<div class="card"><table>
<thead><tr><th>Started, UTC</th><th>Verdict</th><th class="number">Tables</th><th class="number">Expectations</th>
<th class="number">Critical</th><th class="number">Warnings</th><th class="number">Not evaluated</th></tr></thead>
<tbody>
{% for run in past_runs %}
<tr><td>{{ run.checked_at.strftime("%Y-%m-%d %H:%M:%S") }}</td>
<td>{{ badge(run.critical_count or run.not_evaluated_count, run.warning_count) }}</td>
<td class="number">{{ run.table_count }}</td><td class="number">{{ run.expectation_count }}</td>
{{ count(run.critical_count, "bad") }}{{ count(run.warning_count, "warn") }}{{ count(run.not_evaluated_count, "bad") }}
</tr>
{% endfor %}
</tbody></table></div>
</body>
</html>
""")
