"""Endpoints by name, as variables, in bash and as metrics; whatever they are called."""

from __future__ import annotations

import re
import shlex
import subprocess

import pytest
import yaml
from ansible.errors import AnsibleLookupError
from ansible_collections.optiinfra.platform.plugins.filter import ports, project
from ansible_collections.optiinfra.platform.plugins.lookup import port
from ansible_collections.optiinfra.platform.plugins.module_utils import _audit, _endpoints, _lock, _metrics
from ansible_collections.optiinfra.platform.plugins.module_utils._plan import locked
from ansible_collections.optiinfra.platform.plugins.module_utils._stack import StackError
from hypothesis import given, settings
from hypothesis import strategies as st


def assignment(identity="demo/web.http", port=8080, address="127.0.0.1", **more):
    stack, endpoint = identity.split("/", 1)
    return {"id": identity, "stack": stack, "service": endpoint.rpartition(".")[0], "endpoint": endpoint, "target": 80,
            "published": port, "host_ip": address, "protocol": "tcp", "app_protocol": "http", "preferred": port,
            "exposure": "loopback", **more}  # fmt: skip


BOTH = [
    assignment(),
    assignment("demo/db.sql", 5432, "::1", app_protocol="postgresql"),
    assignment("b/web.http", 81, ""),
]


def bash(text, script):
    run = ["bash", "--norc", "-c", f". /dev/stdin\n{script}"]
    return subprocess.run(run, input=text, capture_output=True, text=True, check=False)


def test_variables_are_what_bash_and_compose_read():
    found = _endpoints.variables(BOTH)
    assert found["DEMO_DB_SQL_HOST"] == "::1"
    assert found["DEMO_DB_SQL_URL"] == "postgresql://[::1]:5432"
    assert (found["B_WEB_HTTP_PORT"], found["B_WEB_HTTP_URL"]) == ("81", "http://127.0.0.1:81")
    assert _endpoints.variables(BOTH, "web1.example")["B_WEB_HTTP_URL"] == "http://web1.example:81"
    assert bash(project.dotenv(found), "echo $DEMO_DB_SQL_PORT $B_WEB_HTTP_URL").stdout == "5432 http://127.0.0.1:81\n"


def test_names_that_differ_in_punctuation_only_are_nobodys():
    found = _endpoints.variables([assignment("a/b-c.d"), assignment("a/b.c-d"), assignment("1a/b.c")])
    assert sorted(found) == ["_1A_B_C_HOST", "_1A_B_C_PORT", "_1A_B_C_URL"]


def test_what_is_no_scheme_is_not_in_a_url():
    assert _endpoints.value(assignment(app_protocol="$(id) x"), "url") == "tcp://127.0.0.1:8080"


def test_port_in_bash():
    text = _endpoints.completion(BOTH)
    said = bash(text, "port db.sql; port -u demo/db.sql; port -a b/web.http; port web.http; echo $?; port -x; port")
    assert said.stdout.splitlines()[:4] == ["5432", "postgresql://[::1]:5432", "127.0.0.1:81", "1"]
    assert [line.split() for line in said.stdout.splitlines()[4:]] == [
        ["b/web.http", "81"], ["demo/db.sql", "5432"], ["demo/web.http", "8080"]
    ]  # fmt: skip
    assert "no endpoint web.http, or several of that name" in said.stderr
    assert "usage: port [-a | -u] [ENDPOINT]" in said.stderr


def test_names_are_completed_as_bash_asks_for_it():
    text = _endpoints.completion([{**one, "host": "web1"} for one in BOTH])
    function = "$(complete -p port | grep -o '_optiinfra[a-z_]*')"
    ask = 'COMP_WORDS=(port "{0}") COMP_CWORD=1; ' + function + '; printf "%s\\n" "${{COMPREPLY[@]}}"'
    assert sorted(bash(text, ask.format("d")).stdout.split()) == ["db.sql", "demo/db.sql", "demo/web.http"]
    assert len(bash(text, ask.format("web1/")).stdout.split()) == 3
    assert bash(text, ask.format("-")).stdout.split() == ["-a", "-u"]
    assert bash(text, ask.format("x")).stdout.split() == []


def test_other_shells_leave_it_alone():
    run = subprocess.run(["sh", "-c", ". /dev/stdin; echo on"], input=_endpoints.completion(BOTH), capture_output=True,
                         text=True, check=True)  # fmt: skip
    assert (run.stdout, run.stderr) == ("on\n", "")


def test_shellcheck_has_nothing_to_say():
    text = "#!/usr/bin/env bash\n" + _endpoints.completion(BOTH)
    subprocess.run(["shellcheck", "-"], input=text, text=True, check=True)


NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r\n/"), min_size=1)


@settings(max_examples=40, deadline=None)
@given(NAMES)
def test_no_name_is_run_by_bash(name):
    text = _endpoints.completion([assignment(f"demo/{name}.http", 7)])
    said = bash(text, f"port {shlex.quote(f'demo/{name}.http')}")
    assert (said.stdout, said.stderr) == ("7\n", "")


class Lookup(port.LookupModule):
    """The lookup with its options as they are documented; Ansible's loader is asked in Molecule."""

    def set_options(self, task_keys=None, var_options=None, direct=None):
        options = yaml.safe_load(port.DOCUMENTATION)["options"]
        self.given = {name: direct.get(name, about.get("default")) for name, about in options.items()}

    def get_option(self, option, hostvars=None):
        return self.given[option]


def test_the_lookup_takes_what_there_is():
    look = Lookup()
    lock = {"version": 1, "assignments": locked(BOTH)}
    text = _lock.render(locked(BOTH))
    for given_as in (BOTH, {"assignments": BOTH}, {"declared": _audit.declared_by_lock(locked(BOTH))}, lock, text):
        assert look.run(["db.sql", "b/web.http"], {}, assignments=given_as) == [5432, 81]
    assert look.run(["db.sql"], {}, assignments=text, what="url") == ["postgresql://[::1]:5432"]
    assert look.run(["b/web.http"], {}, assignments=BOTH, what="url", host="h.example") == ["http://h.example:81"]
    assert look.run(["b/web.http"], {}, assignments=BOTH, what="target") == [80]
    known = {"stack_together": {"assignments": BOTH}, "stack_plan": {"assignments": [assignment(port=9)]}}
    assert look.run(["demo/web.http", "db.sql"], known) == [9, 5432]


@pytest.mark.parametrize(
    ("terms", "options", "problem"),
    [
        (["web.http"], {"assignments": BOTH}, "several stacks: demo/web.http, b/web.http"),
        (["x"], {"assignments": BOTH}, r"no endpoint 'x'; there are web.http"),
        (["x"], {}, "no plan of this host is known"),
        (["x"], {"assignments": "{"}, "not JSON"),
        (["x"], {"assignments": 7}, "is expected"),
        (["x"], {"assignments": [{"id": "a/b.c"}]}, r"assignments\[0\].stack: missing"),
        (["x"], {"assignments": {"declared": None}}, "is expected"),
    ],
)
def test_what_the_lookup_cannot_tell_is_one_error(terms, options, problem):
    with pytest.raises(AnsibleLookupError, match=problem):
        Lookup().run(terms, {}, **options)


def test_an_endpoint_may_have_a_dot_in_its_name():
    (found,) = _audit.declared_by_lock(locked([assignment("demo/web.http.v1", service="web")]))
    assert (found["service"], found["endpoint"]) == ("web", "http.v1".join(["web.", ""]))
    old = {key: item for key, item in locked([assignment()])["demo/web.http"].items() if key != "service"}
    assert _audit.declared_by_lock({"demo/web.http": old})[0]["service"] == "web"


def finding(code, subject):
    severity, remedy = _audit.CODES[code]
    return {"code": code, "severity": severity, "subject": subject, "evidence": "", "remedy": remedy}


def row(declared="", project="", service="", **more):
    return {"declared": declared, "project": project, "service": service, "exposure": "loopback", "protocol": "tcp",
            **more}  # fmt: skip


def result(*findings, rows=(), declared=tuple(BOTH)):
    return {
        "findings": list(findings), "open_ports": list(rows), "accepted": [], "unseen": [], "declared": list(declared),
    }  # fmt: skip


def test_states_of_endpoints():
    seen = result(
        finding("squatter", "demo/db.sql"), finding("stack-not-running", "b"),
        rows=[row("demo/web.http", "demo", "web"), row("demo/db.sql"), row("", "demo", "other")],
    )  # fmt: skip
    assert _endpoints.states(seen) == {"demo/web.http": "served", "demo/db.sql": "squatted", "b/web.http": "silent"}
    wide = result(finding("wider-exposure", "demo/web.http"), rows=[row("demo/web.http", "demo", "web")])
    assert _endpoints.states(wide) == {"demo/web.http": "wider", "demo/db.sql": "unknown", "b/web.http": "unknown"}


SAMPLE = re.compile(
    r'^(optiinfra_port_\w+)(?:\{(\w+="(?:[^"\\\n]|\\.)*"(?:,\w+="(?:[^"\\\n]|\\.)*")*)\})? (\d+(?:\.\d+)?)$'
)


def samples(text):
    """Return {(name, labels): value} of metrics, read by the rules of the format."""
    assert text.endswith("\n")
    known, out = set(), {}
    for line in text[:-1].split("\n"):
        if line.startswith("# "):
            kind, name, about = line[2:].split(" ", 2)
            assert (kind, name) not in known
            assert kind == "HELP" or (kind, about) == ("TYPE", "gauge")
            known.add((kind, name))
            continue
        name, labels, number = SAMPLE.match(line).groups()
        assert {("HELP", name), ("TYPE", name)} <= known
        pairs = re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', labels or "")
        read = {key: re.sub(r"\\(.)", lambda m: "\n" if m[1] == "n" else m[1], item) for key, item in pairs}
        assert (name, tuple(read.items())) not in out
        out[name, tuple(read.items())] = float(number)
    return out


def test_metrics():
    seen = result(
        finding("squatter", "demo/db.sql"), finding("undeclared-listener", "*:1/tcp"),
        finding("undeclared-listener", "*:1/tcp"), finding("local-listener", "127.0.0.1:1/tcp"),
        rows=[row("demo/web.http", "demo", "web"), row("demo/db.sql"), row(exposure="reachable", protocol="sctp")],
    )  # fmt: skip
    found = samples(
        _metrics.exposition({"": {**seen, "audit_timestamp_seconds": 1790000000, "audit_duration_seconds": 0.5}})
    )
    value = {
        (name.removeprefix("optiinfra_port_"), *(item for _key, item in labels)): n
        for (name, labels), n in found.items()
    }
    assert value["audit_success",] == 1
    assert value["audit_timestamp_seconds",] == 1790000000
    assert value["findings", "error"] == 1
    assert value["findings", "info"] == 1
    assert value["finding", "warning", "undeclared-listener", "*:1/tcp"] == 2
    assert [key for key in value if key[:2] == ("finding", "info")] == []
    assert (value["open", "loopback", "tcp"], value["open", "reachable", "sctp"]) == (2, 1)
    assert value["endpoint_served", "demo", "web", "web.http", "8080", "tcp"] == 1
    assert value["endpoint_served", "demo", "db", "db.sql", "5432", "tcp"] == 0
    # Nothing tells whether the third is served.
    assert [key for key in value if key[0] == "endpoint_served" and key[1] == "b"] == []


def test_metrics_of_several_hosts_and_of_one_that_failed():
    text = _metrics.exposition({"web1": result(), "web2": {"msg": "unreachable"}})
    found = samples(text)
    assert found["optiinfra_port_audit_success", (("host", "web1"),)] == 1
    assert found["optiinfra_port_audit_success", (("host", "web2"),)] == 0
    assert text.count("# TYPE optiinfra_port_audit_success") == 1
    assert sum(dict(labels)["host"] == "web2" for _name, labels in found) == 1


@given(st.lists(st.text(), max_size=4))
def test_any_subject_is_a_label(subjects):
    found = samples(_metrics.exposition({"": result(*(finding("squatter", s) for s in subjects), declared=[])}))
    told = {dict(labels)["subject"] for name, labels in found if name == "optiinfra_port_finding"}
    assert told == {s.encode("utf-8", "replace").decode() for s in subjects}


def test_a_name_that_nobody_has():
    with pytest.raises(StackError, match="there are none"):
        _endpoints.find([], "x")
    assert ports.FilterModule().filters()["endpoint_variables"]([]) == {}
