"""The filters that derive things from assignments, and the reading of stack files."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.optiinfra.platform.plugins.filter import ports
from ansible_collections.optiinfra.platform.plugins.module_utils._stack import StackError
from ansible_collections.optiinfra.platform.plugins.plugin_utils.compose import parse
from ansible_collections.optiinfra.platform.plugins.plugin_utils.stacks import known_stacks, load_stack


def assignment(**options):
    values = {"stack": "demo", "service": "web", "endpoint": "web.http", "published": 8080, "target": 80}
    values.update({"host_ip": "127.0.0.1", "protocol": "tcp", "app_protocol": "http", **options})
    return {**values, "id": f"{values['stack']}/{values['endpoint']}"}


PROJECT = {
    "name": "demo",
    "x-catalog": {"title": "Demo"},
    "services": {
        "web": {"image": "${WEB_IMAGE}", "x-catalog": {}, "ports": [{"target": 80, "x-health": "/"}]},
        "job": {},
    },
}


def test_compose_render():
    assert ports.compose_render(PROJECT, [assignment()]) == {
        "name": "demo",
        "services": {
            "web": {
                "image": "${WEB_IMAGE}",
                "ports": [
                    {"target": 80, "published": "8080", "host_ip": "127.0.0.1", "protocol": "tcp", "mode": "ingress"}
                ],
            },
            "job": {},
        },
    }
    assert PROJECT["services"]["web"]["x-catalog"] == {}


def test_every_address_is_published_in_both_families():
    rendered = ports.compose_render(PROJECT, [assignment(host_ip="")])
    assert [p["host_ip"] for p in rendered["services"]["web"]["ports"]] == ["0.0.0.0", "::"]


def test_other_stacks_assignments_are_left_out_and_unknown_services_named():
    assert "ports" not in ports.compose_render(PROJECT, [assignment(stack="other")])["services"]["web"]
    with pytest.raises(AnsibleFilterError, match="no service nobody in demo"):
        ports.compose_render(PROJECT, [assignment(service="nobody")])


def test_urls():
    both = [assignment(), assignment(stack="other", published=9090)]
    assert ports.url_for(both, "demo/web.http") == "http://127.0.0.1:8080"
    assert ports.url_for(both, "other/web.http", "host.example") == "http://host.example:9090"
    assert ports.endpoint_urls(both)["demo/web.http"] == "http://127.0.0.1:8080"
    with pytest.raises(AnsibleFilterError, match="several stacks"):
        ports.url_for(both, "web.http")
    with pytest.raises(AnsibleFilterError, match=r"no endpoint 'x.y'; there are web\.http"):
        ports.url_for([assignment()], "x.y")


def test_a_stack_of_this_collection_by_name():
    assert "optiinfra" in known_stacks()
    assert load_stack("optiinfra")["definition"]["name"] == "optiinfra"


def test_a_file_by_path_with_its_env_and_compose_default_name(tmp_path):
    folder = tmp_path / "My App"
    folder.mkdir()
    (folder / "compose.yaml").write_text("services:\n  ssh: {ports: [22:22, '${P}:80']}\n")
    (folder / ".env").write_text("# comment\nexport P=8080 # here\nQ='a # b'\n")
    found = load_stack("My App/compose.yaml", tmp_path)
    assert found["definition"] == {"services": {"ssh": {"ports": ["22:22", "${P}:80"]}}, "name": "myapp"}
    assert found["environment"] == {"P": "8080", "Q": "a # b"}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("services: [", "line 1"),
        (
            "a: 1\nservices: {web: {}}\nservices: {}\n",
            "line 3: not YAML: the key 'services' is there twice, first in line 2",
        ),
        ("just text", "a stack is a mapping"),
        ("", "a stack is a mapping"),
        ("? [a]\n: b\n", "a key is a text"),
        ("a: &a [*a, *b]", "undefined alias"),
        ("a: !!python/object/apply:os.system [id]", "not YAML"),
        ("a: \x00", "not YAML"),
    ],
)
def test_bad_files_are_named_with_their_line(text, problem):
    with pytest.raises(StackError) as caught:
        parse(text, "demo.yaml")
    assert str(caught.value).startswith("demo.yaml")
    assert problem in str(caught.value)


def test_merge_keys_are_no_duplicates():
    assert parse("x: &x {a: 1}\ny:\n  <<: *x\n  a: 2\n", "f")["y"] == {"a": 2}


def test_an_unknown_stack_names_those_there_are():
    with pytest.raises(StackError, match=r"'nothing' is no stack of this collection .*optiinfra"):
        load_stack("nothing")


def test_overrides_of_several_stacks_are_named_by_stack():
    given = {"a": {"web.http": 8080, "b/db.sql": 5433}, "c": {}, "d": None}
    assert ports.qualified_overrides(given) == {"a/web.http": 8080, "b/db.sql": 5433}
