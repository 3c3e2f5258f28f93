"""Whatever a file holds: findings or nothing, never a traceback, never a hang."""

from __future__ import annotations

import contextlib
from datetime import timedelta

import pytest
from ansible_collections.optiinfra.platform.plugins.plugin_utils.lint import (
    audit,
    compose,
    dockerfile,
    dotenv,
    kubernetes,
    markdown,
    nginx,
    prometheus,
    texts,
)
from ansible_collections.optiinfra.platform.plugins.plugin_utils.lint.model import Unreadable
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

LIMITS = settings(
    max_examples=250, deadline=timedelta(seconds=5), suppress_health_check=[HealthCheck.function_scoped_fixture]
)
# Pieces that these files are made of, so that the noise gets past the first line of a parser.
PIECES = {
    "compose": [
        "services:", "  web:", "    ports:", "      - ", '"80:80"', "${A:-8080}", "8000-8002:8000-8002",
        "    image: ", "postgres", "<<: *a", "&a", "*a", "    environment:", "      PORT: ", "    healthcheck:",
        "      test: ", "http://web:80", "{target: 1, published: 2}", "    extends: web", "include:", "!reset []",
        "x-catalog: {}",
    ],
    "dotenv": ["A=", "PORT=80", '"', "'", "#", "export ", "${A}", "postgres://a:b@localhost:5433/x", "\\"],
    "dockerfile": ["FROM ", "a AS b", "EXPOSE ", "80/tcp", "$PORT", "ENV A=1", "HEALTHCHECK CMD ", "\\", "RUN <<E"],
    "nginx": [
        "server", "{", "}", ";", "listen ", "80", "upstream a ", "proxy_pass http://web:1", "$x", "set $x a:1",
        '"', "'", "#", "content_by_lua_block ", "\\", "${X}",
    ],
    "prometheus": [
        "scrape_configs:", "- job_name: a", "  static_configs:", "  - targets: [", "'web:80'", "]", "relabel_configs:",
        "remote_write:", "- url: http://a:1", "  {target_label: __address__, replacement: a:1}",
    ],
    "kubernetes": [
        "apiVersion: v1", "kind: Service", "kind: List", "items:", "- ", "metadata: {name: a}", "spec:", "  ports:",
        "  - {port: 80, targetPort: http}", "  selector: {a: b}", "---", "kind: Pod", "  containers:", "kind: Ingress",
    ],
    "markdown": [
        "| Service | Port |", "|---|---|", "| a | 80 |", "# ", "```", "- 8000 - web", "http://localhost:80", "**",
        "(", ")", "Total Services: 3", "`", "A_PORT=1", "Service Port", "[a](b)", "|", "-", "  ports:", "web:",
    ],
}  # fmt: skip
PARSERS = {
    "compose": lambda text: compose.parse(text, "f", {}),
    "dotenv": lambda text: dotenv.parse(text, "f"),
    "dockerfile": lambda text: dockerfile.parse(text, "f"),
    "nginx": lambda text: nginx.parse(text, "f"),
    "prometheus": lambda text: prometheus.parse(text, "f"),
    "kubernetes": lambda text: kubernetes.parse(text, "f"),
    "markdown": lambda text: markdown.parse(text, "f"),
}
NAMES = {
    "compose": "compose.yaml",
    "dotenv": ".env",
    "dockerfile": "Dockerfile",
    "nginx": "nginx.conf",
    "prometheus": "prometheus.yml",
    "kubernetes": "pod.yaml",
    "markdown": "README.md",
}


def texts_of(kind):
    piece = st.sampled_from([*PIECES[kind], "\n", " ", "\t"]) | st.text(max_size=6)
    return st.lists(piece, max_size=40).map("".join) | st.lists(piece, max_size=25).map("\n".join)


@pytest.mark.parametrize("kind", PARSERS)
@LIMITS
@given(data=st.data())
def test_parsers_read_or_refuse_anything(kind, data):
    text = data.draw(texts_of(kind))
    problem = None
    try:
        PARSERS[kind](text)
    except Unreadable as exc:
        problem = exc
    if problem:
        assert 1 <= problem.line <= text.count("\n") + 1
        assert problem.problem


@LIMITS
@given(data=st.data())
def test_rules_take_whatever_the_parsers_found(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("tree")
    for kind in data.draw(st.sets(st.sampled_from(sorted(NAMES)), min_size=1)):
        (folder / NAMES[kind]).write_text(data.draw(texts_of(kind)), encoding="utf-8", errors="replace", newline="")
    result = audit.lint([str(folder)], str(folder))
    assert not [f for f in result["findings"] if "please report it" in f["evidence"]]
    lengths = {
        path.name: path.read_bytes().count(b"\n") + path.read_bytes().count(b"\r") + 1 for path in folder.iterdir()
    }
    for finding in result["findings"]:
        assert 1 <= finding["line"] <= lengths[finding["file"]]


@LIMITS
@given(st.text(alphabet="${}:-+?@/.[]a1 \n", max_size=60))
def test_texts_are_read(text):
    texts.expand(text, texts.Environment({"a": "1"}, {"a1": "2"}))
    for reference in texts.command_references(text, None, {"a": "1"}):
        assert 1 <= reference.port <= 65535


@pytest.mark.parametrize("kind", PARSERS)
@pytest.mark.parametrize(
    "unit",
    ["a", "(", "[", "{", "|", "`", '"', "'", "$", "${", "-", "- ", ": ", "http://", "a@", "1:", "1-", "\\", "<", "# ",
     "*a ", "&a ", "| - ", "x: {", "80 ", "nc ", "server {", "<<E ", "[a](", "**", "\n", "a\n  ports:\n", "_", "~~~\n"],
)  # fmt: skip
def test_repetition_takes_no_time(kind, unit):
    with contextlib.suppress(Unreadable):
        PARSERS[kind](unit * (60_000 // len(unit)))
