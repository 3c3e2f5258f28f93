"""queries.py STACK MINIMUM: run every query of a stack's dashboards and alerts; name those that return nothing."""

import glob
import json
import re
import sys
import time
import urllib.parse
import urllib.request

STACK, MINIMUM = sys.argv[1], int(sys.argv[2])
CONFIG = f"/etc/optiinfra/{STACK}/config/"
PROMETHEUS = "http://127.0.0.1:9090/api/v1/"


def ask(path, **values):
    with urllib.request.urlopen(PROMETHEUS + path + "?" + urllib.parse.urlencode(values), timeout=20) as answer:
        return json.load(answer)["data"]


def queries():
    """Yield (where it is from, PromQL)."""
    for path in sorted(glob.glob(CONFIG + "grafana-*.json")):
        with open(path) as file:
            dashboard = json.load(file)
        for panel in dashboard["panels"]:
            for target in panel["targets"]:
                yield f"{dashboard['title']}: {panel['title']}", target["expr"]
    for group in ask("rules")["groups"]:
        for rule in group["rules"]:
            # What is compared, without the comparison that is false while all is well.
            yield f"alert {rule['name']}", re.sub(r" (==|<|>) [0-9.]+$", "", rule["query"])


wanted = {query: where for where, query in queries()}
if len(wanted) < MINIMUM:
    sys.exit(f"only {len(wanted)} queries were found")
deadline = time.time() + 120
while wanted:
    wanted = {query: where for query, where in wanted.items() if not ask("query", query=query)["result"]}
    if wanted and time.time() > deadline:
        sys.exit("\n".join(f"{where}: nothing for {query}" for query, where in wanted.items()))
    time.sleep(3 if wanted else 0)
