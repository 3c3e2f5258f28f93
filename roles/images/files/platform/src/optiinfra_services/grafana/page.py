"""The page: dashboards, their panels' queries and what Prometheus answers to them now."""

import html
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx

from ..health import reason
from . import STAND_IN
from .provisioning import Provisioned, panels

SHOWN = 20
# In place of what Grafana works out from the time range.
VARIABLES = {"$__rate_interval": "2m", "$__interval": "1m", "$__range": "1h"}
STYLE = """
body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem;color:#1d2733}
.note{background:#fff3cd;border:1px solid #e0c36a;padding:.6rem 1rem;border-radius:.3rem}
.bad{color:#a11}table{border-collapse:collapse;width:100%;margin:.4rem 0 1.4rem}
th,td{border-bottom:1px solid #d8dee6;padding:.25rem .6rem;text-align:left;vertical-align:top}
td:last-child{text-align:right;font-variant-numeric:tabular-nums}code{background:#eef1f5;padding:.1rem .3rem}
"""


def ask(source: dict[str, Any] | None, expression: str) -> tuple[list[tuple[dict[str, str], str]], str]:
    """The series of a query's current value, or the reason why there are none."""
    if source is None:
        return [], "its data source is not provisioned"
    if source.get("type") != "prometheus":
        return [], f"data sources of type {source.get('type')} are not asked by this stand-in"
    for name, value in VARIABLES.items():
        expression = expression.replace(name, value)
    try:
        url = f"{str(source.get('url')).rstrip('/')}/api/v1/query"
        answer = httpx.post(url, data={"query": expression}, timeout=4).json()
        if answer["status"] != "success":
            return [], str(answer.get("error"))
        result = answer["data"]["result"]
        if answer["data"]["resultType"] == "scalar":
            return [({}, result[1])], ""
        return [(item["metric"], item["value"][1]) for item in result], ""
    except Exception as error:
        return [], reason(error)


def _series(labels: dict[str, str]) -> str:
    name = labels.get("__name__", "")
    rest = ", ".join(f"{key}={value}" for key, value in sorted(labels.items()) if key != "__name__")
    return f"{name}{{{rest}}}" if rest else name or "value"


def render(found: Provisioned) -> str:
    queries = []
    for _folder, dashboard in found.dashboards:
        for panel in panels(dashboard):
            for target in panel.get("targets") or []:
                if target.get("expr"):
                    source = found.datasource(target.get("datasource") or panel.get("datasource"))
                    queries.append((id(target), source, target["expr"]))
    with ThreadPoolExecutor(8) as pool:
        answers = dict(zip([q[0] for q in queries], pool.map(lambda q: ask(q[1], q[2]), queries), strict=True))
    esc = html.escape
    out = [
        f"<!doctype html><html lang=en><meta charset=utf-8><title>Grafana stand-in</title><style>{STYLE}</style>",
        f"<h1>Provisioned dashboards</h1><p class=note><strong>This is not Grafana.</strong> {esc(STAND_IN)}. "
        "The values below are what the data source answers at this moment.</p>",
    ]
    out += [f"<p class=bad>{esc(problem)}</p>" for problem in found.problems]
    out.append("<h2>Data sources</h2><table><tr><th>Name<th>Type<th>URL</tr>")
    for source in found.datasources:
        row = [str(source.get(key, "")) for key in ("name", "type", "url")]
        out.append("<tr><td>" + "<td>".join(map(esc, row)) + "</tr>")
    out.append("</table>")
    for folder, dashboard in found.dashboards:
        out.append(f"<h2>{esc(folder)} / {esc(str(dashboard['title']))}</h2>")
        for panel in panels(dashboard):
            out.append(f"<h3>{esc(str(panel.get('title') or panel.get('type')))}</h3><table>")
            for target in panel.get("targets") or []:
                if id(target) not in answers:
                    continue
                series, problem = answers[id(target)]
                out.append(f"<tr><th colspan=2><code>{esc(target['expr'])}</code></tr>")
                if problem or not series:
                    out.append(f"<tr><td colspan=2 class=bad>{esc(problem or 'no series')}</tr>")
                out += [f"<tr><td>{esc(_series(labels))}<td>{esc(value)}</tr>" for labels, value in series[:SHOWN]]
                if len(series) > SHOWN:
                    out.append(f"<tr><td colspan=2>and {len(series) - SHOWN} more</tr>")
            out.append("</table>")
    out.append("</html>")
    return "".join(out)
