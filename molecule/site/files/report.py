"""report.py FOLDER: fail unless audit.json and audit.html show three stacks that are served as declared."""

import json
import sys
from collections import Counter
from pathlib import Path

from browser import browser

folder = Path(sys.argv[1])
report = json.loads((folder / "audit.json").read_text())
(host,) = report["hosts"]
states = Counter((endpoint["stack"], endpoint["state"]) for endpoint in host["endpoints"])
wanted = {("optiinfra", "served"): 19, ("vultr_demo", "served"): 5, ("ollamamax", "served"): 11}
if states != wanted:
    sys.exit(f"endpoints are {dict(states)}, and should be {wanted}")
codes = Counter(finding["code"] for finding in host["findings"] if finding["code"] != "local-listener")
# Grafana and Qdrant of the platform, the demo's vLLM and DCGM exporter, OllamaMax' Grafana and Ollama.
if codes != {"stand-in": 6}:
    sys.exit(f"findings are {dict(codes)}")
with browser() as page:
    page.driver.get((folder / "audit.html").as_uri())
    drawn = Counter(found.split()[1] for found in page.attributes("svg .box", "class"))
    page.keep("site-audit")
    problems = [entry["message"] for entry in page.driver.get_log("browser") if entry["level"] == "SEVERE"]
# 33 services, of which beat and worker have no port; and in each stack the customer, who is outside.
if drawn != {"served": 31, "portless": 2, "outside": 3} or problems:
    sys.exit(f"the page draws {dict(drawn)} {problems}")
