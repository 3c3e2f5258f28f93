"""Whatever the kernel, the tools, the engine and files say: an answer or the one clear failure, and it ends."""

from __future__ import annotations

import contextlib
import copy
import json
import string
import sys
import tempfile
from pathlib import Path

import yaml
from ansible_collections.optiinfra.platform.plugins.module_utils import (
    _accept,
    _audit,
    _drift,
    _engine,
    _filters,
    _iptables,
    _netfilter,
    _netlink,
    _nftables,
    _ranges,
    _sockets,
    _topology,
    _ufw,
    _view,
)
from ansible_collections.optiinfra.platform.plugins.module_utils._binding import Binding
from ansible_collections.optiinfra.platform.plugins.module_utils._error import StackError
from ansible_collections.optiinfra.platform.plugins.module_utils._rules import RulesError
from hypothesis import example, given
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from fuzz import cases, mutated

FILES = Path(__file__).resolve().parents[1] / "files"
SAVED = {
    4: (FILES / "iptables-save-docker-ufw.txt").read_text(),
    6: (FILES / "ip6tables-save-docker-ufw.txt").read_text(),
}
RULESET = json.loads((FILES / "nft-docker.json").read_text())
TOPOLOGY = _topology.Topology(
    {
        "eth0": [(4, _ranges.number("192.0.2.1")[1], 24), (6, _ranges.number("2001:db8::1")[1], 64)],
        "docker0": [(4, _ranges.number("172.18.0.1")[1], 16)],
    },
    ("eth0",),
)
VERDICTS = {"allowed", "denied", "partly", "unknown", "none"}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


def ask(tables):
    """Ask for verdicts of everything, as an audit does."""
    filters = _filters.Filters({family: _netfilter.Judge(family, tables, TOPOLOGY) for family in (4, 6)}, TOPOLOGY)
    for port, protocol in ((22, "tcp"), (8080, "tcp"), (5005, "udp"), (68, "udp"), (65535, "sctp")):
        row = _filters.firewall(filters, Binding("", port, protocol))
        assert {row["ipv4"], row["ipv6"]} <= VERDICTS
        assert isinstance(row["rule"], str)
        _filters.bypass(filters, 4, Binding("", port, protocol))
    _filters.openings(filters)


@cases(100)
@given(st.sampled_from([4, 6]).flatmap(lambda family: st.tuples(st.just(family), mutated(SAVED[family]))))
def test_iptables_save(case):
    family, text = case
    tables, _hidden = _iptables.parse(text, family)
    ask(tables)


@cases(100)
@given(st.sampled_from([4, 6]), st.text(max_size=400))
def test_any_text_as_iptables_save(family, text):
    tables, _hidden = _iptables.parse("*filter\n:INPUT DROP\n-A INPUT " + text, family)
    ask(tables)
    _iptables.parse(text, family)
    _filters.ipsets(text)


def places(value, path=()):
    """Yield the path of every value inside a JSON value."""
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from places(inner, (*path, key))


PLACES = [path for path in places(RULESET) if path]


@st.composite
def rulesets(draw):
    """What nft printed, with some values replaced by others of it, by anything, or gone."""
    out = copy.deepcopy(RULESET)
    for _n in range(draw(st.integers(1, 5))):
        path = draw(st.sampled_from(PLACES))
        inner = out
        try:
            for key in path[:-1]:
                inner = inner[key]
            kind = draw(st.sampled_from(["any", "other", "gone"]))
            if kind == "any":
                inner[path[-1]] = draw(JSON)
            elif kind == "gone":
                del inner[path[-1]]
            else:
                other = RULESET
                for key in draw(st.sampled_from(PLACES)):
                    other = other[key]
                inner[path[-1]] = copy.deepcopy(other)
        except (KeyError, IndexError, TypeError):
            continue
    return out


@cases(150)
@given(rulesets())
def test_nft(ruleset):
    try:
        tables = _nftables.parse(json.dumps(ruleset))
    except RulesError:
        return
    ask(tables)


@cases(50)
@given(JSON | st.builds(lambda items: {"nftables": items}, JSON), st.text(max_size=50))
def test_any_json_as_nft(data, text):
    for given_text in (json.dumps(data), text):
        try:
            ask(_nftables.parse(given_text))
        except RulesError:
            continue


ROW = "   0: 0100007F:1538 00000000:0000 0A 00000000:00000000 00:00000000 00000000   105        0 4242 1 0 100 0 0 10 0"
ROW6 = "   1: 00000000000000000000000001000000:1F90 00000000000000000000000000000000:0000 07 0:0 0:0 0 0 0 77 2 0 0"
HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"


@cases(100)
@given(
    mutated(HEAD + "\n".join([ROW, ROW6] * 3)) | st.binary(max_size=200),
    st.sampled_from(["tcp", "udp", "tcp6", "udp6"]),
)
@example(b"\xff\xfe\n\xff", "tcp")
def test_proc_net(content, name):
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "net").mkdir()
        Path(folder, "net", name).write_bytes(
            content if isinstance(content, bytes) else content.encode("utf-8", "replace")
        )
        for listener in _sockets.by_proc(root=folder):
            assert listener.binding.protocol == name[:3]
            str(listener.binding)


@cases(100)
@given(st.binary(max_size=300), st.sampled_from([2, 10]))
def test_netlink(data, family):
    for kind, body in _netlink.messages(data):
        assert isinstance(kind, int)
        assert isinstance(body, bytes)
    assert all(isinstance(value, bytes) for _kind, value in _netlink.attributes(data, 0))
    _sockets._diag(data, family, "tcp")
    _topology.links([data, data[1:]])
    list(_topology.addresses([data, data[2:]]))
    _filters.kernel_tables([data, data[1:]])


CONTAINER = {
    "Id": "a" * 64,
    "Names": ["/demo-db"],
    "State": "running",
    "Status": "Up 3 minutes (health: starting)",
    "Labels": {"com.docker.compose.project": "demo", "com.docker.compose.service": "db", "io.optiinfra.stand-in": "x"},
    "HostConfig": {"NetworkMode": "demo"},
    "Ports": [
        {"IP": "0.0.0.0", "PrivatePort": 5432, "PublicPort": 5432, "Type": "tcp"},
        {"IP": "::", "PrivatePort": 1},
    ],
}
ENDPOINT = {
    "id": "demo/db.sql",
    "stack": "demo",
    "service": "db",
    "published": 5432,
    "host_ip": "127.0.0.1",
    "protocol": "tcp",
}


@st.composite
def containers(draw):
    """What the engine lists, with one value of it something else."""
    out = copy.deepcopy(CONTAINER)
    for path in draw(st.lists(st.sampled_from([p for p in places(CONTAINER) if p]), min_size=1, max_size=2)):
        inner = out
        try:
            for key in path[:-1]:
                inner = inner[key]
            inner[path[-1]] = draw(JSON)
        except (KeyError, IndexError, TypeError):
            continue
    return out


@cases(100)
@given(st.lists(containers() | JSON, max_size=3) | JSON)
def test_the_engines_list(answer):
    engine = _engine.Engine("unix:///nonexistent")
    engine._get = lambda _path: answer
    try:
        found = tuple(engine.containers())
    except _engine.EngineError:
        return
    result = _audit.audit([ENDPOINT], _view.View((), found), (32768, 60999))
    json.dumps(result)
    assert _audit.report({**result, "unseen": []})[-1].startswith("open ports: ")


@cases(100)
@given(st.binary(max_size=100) | st.binary(max_size=30).map(lambda body: b"HTTP/1.0 200 OK\r\n\r\n" + body))
def test_the_engines_answer(answer):
    before, _engine._exchange = _engine._exchange, lambda *_args: answer
    try:
        with contextlib.suppress(_engine.EngineError):
            _engine.Engine("unix:///nonexistent").containers()
    finally:
        _engine._exchange = before


TUPLES = """\
### tuple ### allow tcp 22 0.0.0.0/0 any 0.0.0.0/0 in comment=78
### tuple ### route:allow any any ::/0 any ::/0 in_eth0!out_eth1"""


@cases(50)
@given(mutated(TUPLES) | st.text(max_size=80))
def test_ufws_files(text):
    for line in text.splitlines():
        _ufw.user_rule(line)
    found = _filters.ufw_files(lambda _path: text)
    assert set(found) == {"enabled", "incoming", "rules"}
    _topology.default_interfaces(text, text)


PORTS = st.lists(
    st.fixed_dictionaries(
        {
            "target": st.integers(1, 65535),
            "published": st.integers(1, 65535).map(str),
            "host_ip": st.sampled_from(["127.0.0.1", "0.0.0.0", "::", "10.0.0.5"]),
            "protocol": st.sampled_from(["tcp", "udp"]),
        }
    ),
    max_size=3,
)
TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), max_size=300) | st.sampled_from(
    ["a: b", "- x: y", "  ports:\n  - target: 1", "#", "'", "|", "x " * 100 + ": y"]
)
SERVICE = st.fixed_dictionaries(
    {"image": st.just("x"), "ports": PORTS},
    optional={
        "command": TEXTS | st.lists(TEXTS, max_size=3),
        "environment": st.dictionaries(st.text(string.ascii_letters, min_size=1, max_size=6), TEXTS, max_size=3),
        "labels": st.fixed_dictionaries({"io.optiinfra.config": st.text("0123456789abcdef", min_size=16, max_size=16)}),
        "healthcheck": st.fixed_dictionaries({"test": st.lists(TEXTS, max_size=3), "retries": st.integers(1, 9)}),
    },
)


@cases(100)
@given(st.dictionaries(st.from_regex(r"[a-z][a-z0-9-]{0,9}", fullmatch=True), SERVICE, min_size=1, max_size=4), TEXTS)
def test_a_rendered_compose_file_is_read_as_yaml_reads_it(services, title):
    """The role writes with the same settings."""
    data = {"name": "demo", "x-title": title, "services": services, "networks": {"default": {"name": "ports"}}}
    text = yaml.dump(data, default_flow_style=False, indent=2, sort_keys=False, width=120, allow_unicode=True)
    found = _drift.read(text)
    assert set(found) == set(services)
    for name, service in services.items():
        expected = {(p["host_ip"], int(p["published"]), p["protocol"]) for p in service["ports"]}
        assert {binding[:3] for binding in found[name].bindings} == expected
        assert found[name].config == service.get("labels", {}).get("io.optiinfra.config", "")


@cases(50)
@given(mutated(yaml.dump({"services": {"web": {"ports": [{"target": 80, "published": "1"}]}}})) | st.text(max_size=100))
def test_any_text_as_a_rendered_compose_file(text):
    try:
        found = _drift.read(text)
    except ValueError:
        return
    project = _drift.Project("/x", found)
    list(_drift.file_drift(project, [("web", Binding("127.0.0.1", 1))]))


@cases(50)
@given(JSON | st.lists(st.dictionaries(st.sampled_from([*_accept.KEYS, "x"]), JSON, max_size=5), max_size=3))
def test_a_baseline(items):
    try:
        checked = _accept.checked(items, _audit.CODES)
    except StackError:
        return
    _accept.split([{"code": "squatter", "subject": "x"}], checked, "2026-01-01")
