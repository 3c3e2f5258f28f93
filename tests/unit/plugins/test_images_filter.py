"""The choice of images, the hash of a build context and its archive."""

from __future__ import annotations

import base64
import io
import os
import tarfile

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.optiinfra.platform.plugins.filter import images

PLATFORM = {"name": "platform", "title": "Platform"}
CATALOGUE = {
    "redis": {"registry": "docker.io/library/redis:7.4.1", "package": {"name": "redis", "title": "Redis"}},
    "grafana": {
        "registry": "docker.io/grafana/grafana:12.1.0",
        "package": {"name": "grafana", "title": "Grafana", "context": "platform", "target": "grafana"},
        "stand_in": "Draws nothing.",
    },
    "portal": {"package": PLATFORM},
    "collector": {"package": PLATFORM},
}
UPSTREAM = "redis:7.4.1"


@pytest.fixture
def role(tmp_path):
    (tmp_path / "galaxy.yml").write_text("version: 1.2.3\nrepository: https://example.org/platform\n")
    files = tmp_path / "roles/images/files"
    for name in ("redis", "platform"):
        (files / name).mkdir(parents=True)
        (files / name / "Dockerfile").write_text("ARG BASE\nFROM ${BASE}\n")
    (files / "base").mkdir()
    (files / "base/build.sh").write_text("#!/bin/sh\n")
    return tmp_path / "roles/images"


def plan(role, wanted=tuple(CATALOGUE), **options):
    return images.image_plan(CATALOGUE, str(role), list(wanted), **options)


def built(role, key):
    return plan(role, source="packages")["resolved"][f"{key.upper()}_IMAGE"]


def test_registry_pulls_upstream_and_builds_what_has_none(role):
    result = plan(role, source="registry")
    assert result["pull"] == ["docker.io/library/redis:7.4.1", "docker.io/grafana/grafana:12.1.0"]
    assert [entry["name"] for entry in result["build"]] == ["platform"]
    assert result["stand_ins"] == {}
    assert result["undecided"] == []


def test_packages_build_each_image_once_and_tell_stand_ins(role):
    result = plan(role, source="packages")
    assert [entry["name"] for entry in result["build"]] == ["redis", "grafana", "platform"]
    assert result["resolved"]["PORTAL_IMAGE"] == result["resolved"]["COLLECTOR_IMAGE"]
    assert result["resolved"]["REDIS_IMAGE"].startswith("localhost/optiinfra/redis:1.2.3-")
    assert result["stand_ins"] == {"grafana": "Draws nothing."}
    options = result["build"][1]["options"]
    assert options[:2] == ["--target", "grafana"]
    assert "io.optiinfra.stand-in=Draws nothing." in options
    assert f"BASE={result['base']['reference']}" in options


def test_all_keys_are_resolved_but_only_wanted_ones_obtained(role):
    result = plan(role, ["redis"], source="packages")
    assert len(result["resolved"]) == len(CATALOGUE)
    assert [entry["name"] for entry in result["build"]] == ["redis"]
    assert result["stand_ins"] == {}


def test_what_is_there_is_not_obtained(role):
    present = [f"{reference} <none>@<none>" for reference in plan(role, source="packages")["resolved"].values()]
    result = plan(role, source="packages", present=present)
    assert result["build"] == []


@pytest.mark.parametrize("answer", [None, True, False])
def test_auto_prefers_the_registry_image_that_is_there(role, answer):
    present = [UPSTREAM, built(role, "redis")]
    result = plan(role, ["redis"], present=present, reachable=answer)
    assert result["resolved"]["REDIS_IMAGE"] == "docker.io/library/redis:7.4.1"
    assert not result["pull"] + result["build"] + result["undecided"]


@pytest.mark.parametrize("answer", [None, True, False])
def test_auto_stays_with_packages_once_they_were_built(role, answer):
    same = plan(role, ["redis"], present=[built(role, "redis")], reachable=answer)
    assert not same["pull"] + same["build"] + same["undecided"]
    older = plan(role, ["redis"], present=["localhost/optiinfra/redis:1.2.2-0123456789ab"], reachable=answer)
    assert [entry["reference"] for entry in older["build"]] == [built(role, "redis")]
    assert not older["undecided"] + older["pull"]


def test_auto_asks_then_follows_the_answer(role):
    asked = plan(role, ["redis", "portal"])
    assert asked["undecided"] == ["docker.io/library/redis:7.4.1"]
    assert [entry["name"] for entry in asked["build"]] == ["platform"]
    assert plan(role, ["redis"], reachable=True)["pull"] == ["docker.io/library/redis:7.4.1"]
    assert plan(role, ["redis"], reachable=False)["build"][0]["name"] == "redis"


@pytest.mark.parametrize(
    ("mirror", "expected"),
    [
        ("mirror:5000", "mirror:5000/library/redis:7.4.1"),
        ("mirror/hub/", "mirror/hub/library/redis:7.4.1"),
        ("", "docker.io/library/redis:7.4.1"),
    ],
)
def test_mirror_replaces_the_registry(role, mirror, expected):
    assert plan(role, ["redis"], source="registry", mirror=mirror)["pull"] == [expected]


@pytest.mark.parametrize(
    ("reference", "listed"),
    [
        ("docker.io/library/redis:7", "redis:7"),
        ("index.docker.io/library/redis:7", "redis:7"),
        ("docker.io/qdrant/qdrant:v1", "qdrant/qdrant:v1"),
        ("redis", "redis:latest"),
        ("host:5000/redis", "host:5000/redis:latest"),
        ("redis:7@sha256:ab", "redis@sha256:ab"),
        ("host:5000/redis@sha256:ab", "host:5000/redis@sha256:ab"),
    ],
)
def test_references_as_the_engine_lists_them(reference, listed):
    assert images.short_reference(reference) == listed


def test_digest_of_an_override_is_found(role):
    overrides = {"redis": {"image": "docker.io/library/redis:7@sha256:ab"}}
    result = plan(role, ["redis"], overrides=overrides, present=["redis:<none> redis@sha256:ab"])
    assert result["pull"] == []
    assert result["resolved"]["REDIS_IMAGE"] == "docker.io/library/redis:7@sha256:ab"


def test_override_by_reference_wins_over_any_source(role):
    for source in images.SOURCES:
        result = plan(role, ["grafana"], source=source, overrides={"grafana": {"image": "example.org/g:1"}})
        assert result["pull"] == ["example.org/g:1"]
        assert result["stand_ins"] == {}


def test_override_by_context(role, tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "Containerfile").write_text("FROM scratch\n")
    build = {"context": str(folder), "dockerfile": "Containerfile", "args": {"A": 1}, "target": "run"}
    entry = plan(role, ["portal"], overrides={"portal": {"build": build}})["build"][0]
    assert entry["reference"].startswith("localhost/optiinfra/custom-portal:")
    assert entry["options"] == ["--target", "run", "--build-arg", "A=1"]
    assert not entry["own"]
    other = plan(role, ["portal"], overrides={"portal": {"build": {**build, "args": {"A": 2}}}})["build"][0]
    assert other["reference"] != entry["reference"]


def test_rebuild(role):
    present = list(plan(role, source="packages")["resolved"].values())
    result = plan(role, source="packages", present=present, rebuild=["redis"])
    assert [(entry["name"], entry["options"][0]) for entry in result["build"]] == [("redis", "--no-cache")]
    assert not result["base"]["again"]
    everything = plan(role, source="packages", present=present, rebuild=True)
    assert len(everything["build"]) == 3
    assert everything["base"]["again"]
    assert plan(role, ["redis"], source="registry", present=[UPSTREAM], rebuild=True)["pull"]


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        ({"wanted": ["redsi"]}, ["images_wanted", "redsi", "redis"]),
        ({"overrides": {"redsi": {"image": "a"}}}, ["images_overrides", "redsi"]),
        ({"rebuild": ["redsi"]}, ["images_rebuild", "redsi"]),
        ({"source": "hub"}, ["images_source", "hub", "packages"]),
        ({"overrides": {"redis": "a"}}, ["images_overrides.redis", "image"]),
        ({"overrides": {"redis": {"image": "a", "build": {}}}}, ["images_overrides.redis"]),
        ({"overrides": {"redis": {"image": "a b"}}}, ["images_overrides.redis.image", "a b"]),
        ({"overrides": {"redis": {"image": ""}}}, ["images_overrides.redis.image"]),
        ({"overrides": {"redis": {"build": "/x"}}}, ["images_overrides.redis.build", "mapping"]),
        ({"overrides": {"redis": {"build": {}}}}, ["images_overrides.redis.build", "context"]),
        ({"overrides": {"redis": {"build": {"context": "/no/where"}}}}, ["redis.build.context", "/no/where"]),
        ({"overrides": {"redis": {"build": {"context": "/"}}}}, ["images_overrides.redis.build", "Dockerfile in /"]),
    ],
)
def test_mistakes_are_named(role, options, parts):
    with pytest.raises(AnsibleFilterError) as caught:
        plan(role, **options)
    for part in parts:
        assert part in str(caught.value)


def test_unknown_key_of_a_build(role, tmp_path):
    build = {"context": str(role / "files/redis"), "tag": "x"}
    with pytest.raises(AnsibleFilterError, match="unknown key tag"):
        plan(role, overrides={"redis": {"build": build}})


def test_hash_follows_paths_modes_contents_and_nothing_else(tmp_path):
    def digest(**options):
        return images.context_hash(str(tmp_path), **options)

    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    first = digest()
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__/a.pyc").write_bytes(b"x")
    os.utime(tmp_path / "Dockerfile", (1, 1))
    os.chmod(tmp_path / "Dockerfile", 0o664)
    assert digest() == first
    assert len(first) == 12
    os.chmod(tmp_path / "Dockerfile", 0o755)
    assert digest() != first
    os.chmod(tmp_path / "Dockerfile", 0o600)
    assert digest(also="base") != first
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests/a").write_text("a")
    assert digest() != first
    assert digest(exclude=["tests"]) == first
    (tmp_path / "link").symlink_to("Dockerfile")
    assert digest(exclude=["tests"]) != first


def test_hash_of_built_images_follows_the_base(role):
    before = built(role, "redis")
    (role / "files/base/build.sh").write_text("#!/bin/sh\n# changed\n")
    assert built(role, "redis") != before


def test_dockerignore(tmp_path):
    for name in ("Dockerfile", "a/b/keep.log", "a/drop.log", "src/x.py", "src/node_modules/y", "doc/z"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    (tmp_path / ".dockerignore").write_text("# comment\n**/*.log\n!a/b/keep.log\n/doc\nDockerfile\n")
    found = images._files(str(tmp_path), "Dockerfile", [])
    assert found == [".dockerignore", "Dockerfile", "a/b/keep.log", "src/x.py"]


def test_archive_holds_the_context_and_is_reproducible(tmp_path):
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    (tmp_path / "run.sh").write_text("#!/bin/sh\n")
    os.chmod(tmp_path / "run.sh", 0o700)
    (tmp_path / "link").symlink_to("run.sh")
    build = {"context": str(tmp_path), "dockerfile": "Dockerfile", "exclude": []}
    text = images.context_archive(build)
    os.utime(tmp_path / "Dockerfile", (1, 1))
    assert images.context_archive(build) == text
    with tarfile.open(fileobj=io.BytesIO(base64.b64decode(text)), mode="r:gz") as archive:
        members = {member.name: member for member in archive}
        assert {name: member.mode for name, member in members.items()} == {
            "Dockerfile": 0o644,
            "link": 0o755,
            "run.sh": 0o755,
        }
        assert members["link"].linkname == "run.sh"
        assert archive.extractfile("Dockerfile").read() == b"FROM scratch\n"


def test_installed_collection_has_its_version_in_the_manifest(role):
    (role.parent.parent / "galaxy.yml").unlink()
    (role.parent.parent / "MANIFEST.json").write_text(
        '{"collection_info": {"version": "2.0.0", "repository": "https://example.org"}}'
    )
    assert ":2.0.0-" in built(role, "redis")
