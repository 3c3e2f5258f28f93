"""The stacks' alerts, fired by Prometheus' own promtool from the image that runs."""

from __future__ import annotations

import shutil
import subprocess

import pytest
import yaml
from services import images


@pytest.mark.parametrize(
    ("role", "cases"), [("optiinfra", "prometheus-rules.yml"), ("ollamamax", "prometheus-rules-ollamamax.yml")]
)
def test_every_alert_fires_when_it_should_and_only_then(root, tmp_path, role, cases):
    rules = root / "roles" / role / "files/prometheus-rules.yml"
    tests = root / "tests" / cases
    for path, name in ((rules, "prometheus-rules.yml"), (tests, "tests.yml")):
        shutil.copy(path, tmp_path / name)
    alerts = {rule["alert"] for group in yaml.safe_load(rules.read_text())["groups"] for rule in group["rules"]}
    for test in yaml.safe_load(tests.read_text())["tests"]:
        assert {case["alertname"] for case in test["alert_rule_test"]} == alerts
    tmp_path.chmod(0o755)
    image = images("prometheus")["PROMETHEUS_IMAGE"]
    command = ["docker", "run", "--rm", "--network", "none", "--volume", f"{tmp_path}:/rules:ro", "--entrypoint"]
    command += ["promtool", "--workdir", "/rules", image, "test", "rules", "tests.yml"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
