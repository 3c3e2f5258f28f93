"""port_lint by ansible itself: ad hoc, check mode, baseline, SARIF, and options that cannot be used."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
COMPOSE = """services:
  db:
    image: postgres
    ports: ["5432:5432"]
"""
PLAY = """
- hosts: nowhere.invalid
  gather_facts: false
  tasks:
    - optiinfra.platform.port_lint: {paths: "{{ tree }}", fail_on: warning, sarif: "{{ tree }}/x.sarif"}
      register: failing
      ignore_errors: true
    - optiinfra.platform.port_lint: {paths: "{{ tree }}", sarif: "{{ tree }}/new.sarif"}
      check_mode: true
      register: checked
    - stat: {path: "{{ tree }}/new.sarif"}
      delegate_to: localhost
      register: unwritten
    - optiinfra.platform.port_lint: {paths: "{{ tree }}", sarif: "{{ tree }}/x.sarif"}
      register: same
    - optiinfra.platform.port_lint: {paths: "{{ tree }}", baseline: "{{ tree }}/base.yml", update_baseline: true}
      register: updated
    - optiinfra.platform.port_lint: {paths: "{{ tree }}", baseline: "{{ tree }}/base.yml", fail_on: info}
      register: accepted
    - optiinfra.platform.port_lint: {paths: "{{ tree }}", baseline: "{{ tree }}/base.yml", update_baseline: true}
      register: again
    - optiinfra.platform.port_lint: "{{ item }}"
      loop:
        - {paths: []}
        - {paths: ["{{ tree }}", "/does/not/exist"]}
        - {paths: ["{{ tree }}"], root: "{{ tree }}/sub"}
        - {paths: ["{{ tree }}"], baseline: nowhere.yml}
        - {paths: ["{{ tree }}"], update_baseline: true}
        - {paths: ["{{ tree }}"], accept: [{code: nonsense, subject: x}]}
        - {paths: ["{{ tree }}"], sarif: /does/not/exist/x.sarif}
        - {paths: ["{{ tree }}"], fail_on: sometimes}
        - {paths: ["{{ tree }}"], pahts: 1}
      register: refused
      ignore_errors: true
    - copy:
        dest: "{{ tree }}/results.json"
        content: "{{ everything | to_json }}"
      vars:
        everything:
          failing: "{{ failing }}"
          checked: "{{ checked }}"
          unwritten: "{{ unwritten.stat.exists }}"
          same: "{{ same }}"
          updated: "{{ updated }}"
          accepted: "{{ accepted }}"
          again: "{{ again }}"
          refused: "{{ refused.results | map(attribute='msg') }}"
          filtered: "{{ failing | optiinfra.platform.to_sarif }}"
      delegate_to: localhost
"""


def run(*words):
    return subprocess.run(words, cwd=CHECKOUT, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    tree = tmp_path_factory.mktemp("tree")
    (tree / "compose.yaml").write_text(COMPOSE)
    (tree / "sub").mkdir()
    play = tmp_path_factory.mktemp("play") / "play.yml"
    play.write_text(PLAY)
    python = f"ansible_python_interpreter={sys.executable}"
    done = run("ansible-playbook", "-i", "nowhere.invalid,", "-e", f"tree={tree}", "-e", python, str(play))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    return {**json.loads((tree / "results.json").read_text()), "tree": tree}


def test_it_needs_no_connection_and_fails_with_its_report(results):
    failing = results["failing"]
    assert failing["failed"]
    assert failing["msg"].startswith("warning  store-exposed  compose.yaml:4: db: 5432: published on *:5432;")
    assert [f["code"] for f in failing["findings"]] == ["store-exposed"]
    assert failing["files"] == {"compose": 1}


def test_check_mode_writes_nothing_and_a_second_run_changes_nothing(results):
    assert results["failing"]["changed"]
    assert results["checked"]["changed"]
    assert not results["unwritten"]
    assert not results["same"]["changed"]


def test_the_file_and_the_filter_say_the_same(results):
    assert json.loads((results["tree"] / "x.sarif").read_text()) == results["filtered"]
    assert results["filtered"]["runs"][0]["results"][0]["ruleId"] == "store-exposed"


def test_a_baseline_is_written_once_and_accepts(results):
    assert results["updated"]["changed"]
    assert results["accepted"]["findings"] == []
    assert [f["code"] for f in results["accepted"]["accepted"]] == ["store-exposed"]
    assert not results["again"]["changed"]


@pytest.mark.parametrize(
    ("index", "message"),
    list(
        enumerate(
            [
                "paths: at least one file or folder",
                "paths: there is no '/does/not/exist' on the controller",
                "is not below",
                "baseline: there is no file",
                "update_baseline: needs the option baseline",
                "accept[0].code: 'nonsense' is not one of",
                "x.sarif cannot be written",
                "value of fail_on must be one of",
                "Unsupported parameters",
            ]
        )
    ),
)
def test_options_that_cannot_be_used_are_named(results, index, message):
    assert message in results["refused"][index]


def test_ad_hoc_output_can_be_read(tmp_path):
    (tmp_path / "compose.yaml").write_text(COMPOSE)
    done = run("ansible", "localhost", "-m", "optiinfra.platform.port_lint", "-a", f"paths={tmp_path}")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "report:" in done.stdout
    assert "files: 1; errors: 0, warnings: 1, notes: 0, accepted: 0, ignored: 0" in done.stdout
