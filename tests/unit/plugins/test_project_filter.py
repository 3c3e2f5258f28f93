"""The filters that complete a Compose project: secrets, .env, configuration labels, drift."""

from __future__ import annotations

import base64
import hashlib
import json

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.optiinfra.platform.plugins.filter import project


def kept(values):
    return base64.b64encode(json.dumps(values).encode()).decode()


def test_missing_secrets_are_generated_and_differ():
    values = project.complete_secrets({"A": {}, "B": {"length": 48}}, None)
    assert len(values["A"]) == 32
    assert len(values["B"]) == 48
    assert values["A"] != values["B"][:32]
    assert project.complete_secrets({"A": {}}, None)["A"] != values["A"]


def test_kept_secret_stays_and_given_secret_wins():
    old = kept({"A": "kept-kept-kept", "B": "kept-kept-kept"})
    values = project.complete_secrets({"A": {"value": ""}, "B": {"value": "given-given-given"}}, old)
    assert values == {"A": "kept-kept-kept", "B": "given-given-given"}


def test_fernet_key_is_32_bytes():
    key = project.complete_secrets({"K": {"kind": "fernet"}}, None)["K"]
    assert len(base64.urlsafe_b64decode(key)) == 32


@pytest.mark.parametrize("value", ["short", "with space in it", "it's-a-quote-x", "dollar$-dollar$", "ünïcödé-ünïcödé"])
def test_impossible_secret_is_refused_without_showing_it(value):
    with pytest.raises(AnsibleFilterError) as caught:
        project.complete_secrets({"DB": {"value": value}}, None)
    assert "secret DB" in str(caught.value)
    assert value not in str(caught.value)


@pytest.mark.parametrize("content", [b"{", b"[]", b"\xff\xfe"])
def test_damaged_secrets_file_is_named(content):
    with pytest.raises(AnsibleFilterError, match=r"/etc/optiinfra/x/secrets\.json"):
        project.complete_secrets({"A": {}}, base64.b64encode(content).decode(), "/etc/optiinfra/x/secrets.json")


def test_urlencoded_and_dotenv():
    assert project.urlencoded({"P": "a/b@c"}) == {"P_URLENCODED": "a%2Fb%40c"}
    assert project.dotenv({"B": "it's $x", "A": 1, "C": True}) == "A='1'\nB='it\\'s $x'\nC='true'\n"
    with pytest.raises(AnsibleFilterError, match="variable A"):
        project.dotenv({"A": "two\nlines"})


def stack():
    return {
        "name": "s",
        "services": {"p": {"secrets": ["k"]}, "q": {"labels": ["a=b"]}, "r": {}},
        "secrets": {"k": {"environment": "KEY"}},
    }


def test_label_follows_what_is_mounted():
    def label(content="x", key="1", service="q"):
        files = [{"dest": "f", "content": content, "services": ["q"]}]
        services = project.config_labels(stack(), files, {"KEY": key})["services"]
        return services[service].get("labels", {}).get(project.CONFIG_LABEL)

    assert label() == label() != label(content="y")
    assert label(service="p") != label(service="p", key="2")
    assert label() == label(key="2")
    assert label(service="r") is None
    services = project.config_labels(stack(), [{"dest": "f", "content": "", "services": ["q"]}])["services"]
    assert services["q"]["labels"]["a"] == "b"


def test_label_for_an_unknown_service():
    with pytest.raises(AnsibleFilterError, match="no service 'zzz' in the stack s"):
        project.config_labels(stack(), [{"dest": "f", "content": "", "services": ["zzz"]}])


def test_drift_by_composes_own_rule():
    drift = project.compose_drift("a 1\nb 2\nc 3\nd 4\n", "a 1 running\nb 9 running\nc 3 exited\nz 5 running\n")
    assert drift == {"create": ["d"], "recreate": ["b"], "start": ["c"], "remove": ["z"]}


def test_only_files_that_differ_are_stale():
    files = [{"dest": "a", "mode": "0644", "content": "x\n"}, {"dest": ".env", "mode": "0600", "content": "y\n"}]
    digests = [hashlib.sha256(entry["content"].encode()).hexdigest() for entry in files]
    there = [f"644 0 0 {digests[0]} a", f"600 0 0 {digests[1]} .env"]
    assert project.stale_files(files, there) == []
    assert project.stale_files(files, []) == files
    # Another owner, mode or content is stale.
    assert project.stale_files(files, [f"644 1 0 {digests[0]} a", there[1]]) == files[:1]
    assert project.stale_files(files, [there[0], f"644 0 0 {digests[1]} .env"]) == files[1:]
    assert project.stale_files(files, [f"644 0 0 {digests[1]} a", there[1]]) == files[:1]
