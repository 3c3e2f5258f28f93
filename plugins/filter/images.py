# Copyright: (c) 2026, The optiinfra.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filters of the images role: which image serves a key, what is missing, and the context an image is built from."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import os
import re
import tarfile

import yaml
from ansible.errors import AnsibleFilterError

SOURCES = ("auto", "registry", "packages")
LOCAL = "localhost/optiinfra"
IGNORED = ("__pycache__", "*.pyc", ".git", ".pytest_cache", ".ruff_cache", "*.egg-info", "node_modules")


def _pattern(text: str) -> re.Pattern:
    """Return the expression of a .dockerignore pattern; it matches a path and everything below it."""
    out = ""
    for part in re.findall(r"\*\*/?|\*|\?|\[[^]]*\]|.", text.strip("/")):
        if part.startswith("**"):
            out += "(?:.*/)?" if part.endswith("/") else ".*"
        else:
            out += {"*": "[^/]*", "?": "[^/]"}.get(part, part if part.startswith("[") else re.escape(part))
    return re.compile(f"{out}(?:/.*)?$")


def _ignores(folder: str, dockerfile: str, exclude: list) -> list[tuple[bool, re.Pattern]]:
    rules = [(True, _pattern(f"**/{name}")) for name in IGNORED] + [(True, _pattern(name)) for name in exclude]
    for name in (f"{dockerfile}.dockerignore", ".dockerignore"):
        path = os.path.join(folder, name)
        if os.path.isfile(path):
            with open(path, encoding="utf-8") as file:
                lines = [line.strip() for line in file if line.strip() and not line.startswith("#")]
            return rules + [(line[0] != "!", _pattern(line.lstrip("!").removeprefix("./"))) for line in lines]
    return rules


def _files(folder: str, dockerfile: str, exclude: list) -> list[str]:
    """Return what goes into a build, as sorted relative paths."""
    rules = _ignores(folder, dockerfile, exclude)
    found = []
    for root, folders, names in os.walk(folder):
        links = [name for name in folders if os.path.islink(os.path.join(root, name))]
        for name in names + links:
            path = os.path.relpath(os.path.join(root, name), folder)
            ignored = False
            for ignores, pattern in rules:
                if pattern.match(path):
                    ignored = ignores
            if not ignored or path == os.path.normpath(dockerfile):
                found.append(path)
        folders[:] = [name for name in folders if name not in IGNORED and name not in links]
    return sorted(found)


def _executable(path: str) -> bool:
    # The only part of a mode that Git and a collection's archive keep.
    return bool(os.stat(path).st_mode & 0o100)


def context_hash(folder: str, dockerfile: str = "Dockerfile", exclude: list = (), also: object = None) -> str:
    """Return 12 characters that depend on paths, modes and contents of a build context, and on `also`."""
    digest = hashlib.sha256(json.dumps(also, sort_keys=True).encode())
    for name in _files(folder, dockerfile, list(exclude)):
        path = os.path.join(folder, name)
        if os.path.islink(path):
            kind, content = "l", os.readlink(path).encode()
        else:
            with open(path, "rb") as file:
                kind, content = "x" if _executable(path) else "-", file.read()
        digest.update(f"{name}\0{kind}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()[:12]


def context_archive(build: dict) -> str:
    """Return a build's context as base64 of a compressed tar archive, the same for the same files."""
    buffer = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=buffer, mode="wb", mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        for name in _files(build["context"], build["dockerfile"], build["exclude"]):
            path = os.path.join(build["context"], name)
            member = archive.gettarinfo(path, name)
            member.uid = member.gid = member.mtime = 0
            member.uname = member.gname = ""
            member.mode = 0o755 if os.path.islink(path) or _executable(path) else 0o644
            if member.isreg():
                with open(path, "rb") as file:
                    archive.addfile(member, file)
            else:
                archive.addfile(member)
    return base64.b64encode(buffer.getvalue()).decode()


def short_reference(reference: str) -> str:
    """Return a reference the way `docker image ls` prints it."""
    name = re.sub(r"^(index\.)?docker\.io/(library/)?", "", reference)
    if "@" in name:
        # Of NAME:TAG@DIGEST only the digest counts.
        repository, digest = name.split("@", 1)
        return f"{re.sub(r':[^/:]*$', '', repository)}@{digest}"
    return name if ":" in name.rsplit("/", 1)[-1] else f"{name}:latest"


def mirrored(reference: str, mirror: str) -> str:
    """Return the reference with its registry replaced."""
    return f"{mirror.strip('/')}/{reference.split('/', 1)[1]}" if mirror else reference


def _about(root: str) -> dict:
    """Return version and repository of this collection: an installed one has MANIFEST.json, a checkout galaxy.yml."""
    manifest = os.path.join(root, "MANIFEST.json")
    path = manifest if os.path.exists(manifest) else os.path.join(root, "galaxy.yml")
    with open(path, encoding="utf-8") as file:
        about = json.load(file)["collection_info"] if path == manifest else yaml.safe_load(file)
    return {"version": str(about["version"]), "repository": str(about["repository"])}


def _options(build: dict, again: bool) -> list[str]:
    """Return the options of `docker build`."""
    options = ["--no-cache"] if again else []
    if build["target"]:
        options += ["--target", build["target"]]
    for option in ("args", "labels"):
        for name, value in build[option].items():
            options += [f"--{'build-arg' if option == 'args' else 'label'}", f"{name}={value}"]
    return options


class _Planner:
    def __init__(self, catalogue, role, present, mirror, rebuild, suite):
        self.catalogue, self.mirror, self.suite = catalogue, mirror, suite
        self.files = os.path.join(role, "files")
        self.about = _about(os.path.join(role, "..", ".."))
        self.present = {short_reference(name) for line in present for name in line.split()}
        self.packages_seen = {name.split(":")[0] for name in self.present if name.startswith(f"{LOCAL}/")}
        self.rebuild = [*catalogue, "base"] if rebuild is True else list(rebuild or [])
        base = os.path.join(self.files, "base")
        hashed = context_hash(base, "build.sh", also={"suite": suite})
        self.base = {
            "reference": f"{LOCAL}/base:{self.about['version']}-{hashed}",
            "name": "base",
            "tag": f"{self.about['version']}-{hashed}",
        }
        self.hashes: dict = {}

    def here(self, reference: str) -> bool:
        return short_reference(reference) in self.present

    def package(self, key: str) -> dict:
        """Return how the image of a key is built from packages."""
        entry = self.catalogue[key]["package"]
        name, target = entry["name"], entry.get("target", "")
        context = os.path.join(self.files, entry.get("context", name))
        labels = {
            "org.opencontainers.image.title": entry["title"],
            "org.opencontainers.image.version": self.about["version"],
            "org.opencontainers.image.source": self.about["repository"],
        }
        stand_in = self.catalogue[key].get("stand_in", "")
        if stand_in:
            labels["io.optiinfra.stand-in"] = stand_in
        exclude = entry.get("exclude", [])
        if name not in self.hashes:
            also = [self.base["tag"], target, labels]
            self.hashes[name] = context_hash(context, exclude=exclude, also=also)
        tag = f"{self.about['version']}-{self.hashes[name]}"
        return {
            "name": name,
            "tag": tag,
            "reference": f"{LOCAL}/{name}:{tag}",
            "context": context,
            "dockerfile": "Dockerfile",
            "target": target,
            "exclude": exclude,
            "args": {"BASE": self.base["reference"]},
            "labels": labels,
            "own": True,
        }

    def users(self, key: str, build: dict) -> dict:
        """Return how an image is built from the user's own context."""
        where = f"images_overrides.{key}.build"
        context = os.path.expanduser(str(build.get("context") or ""))
        if not context:
            raise AnsibleFilterError(f"{where}: `context` is missing; it names a folder with a Dockerfile")
        if not os.path.isdir(context):
            raise AnsibleFilterError(f"{where}.context: there is no folder {context} on the controller")
        dockerfile = str(build.get("dockerfile") or "Dockerfile")
        if not os.path.isfile(os.path.join(context, dockerfile)):
            raise AnsibleFilterError(f"{where}: there is no {dockerfile} in {context}")
        unknown = sorted(set(build) - {"context", "dockerfile", "args", "target"})
        if unknown:
            raise AnsibleFilterError(f"{where}: unknown key {unknown[0]}; use context, dockerfile, args and target")
        args = {str(name): str(value) for name, value in (build.get("args") or {}).items()}
        target = str(build.get("target") or "")
        name = f"custom-{key.replace('_', '-')}"
        tag = context_hash(context, dockerfile, also=[dockerfile, args, target])
        return {
            "name": name,
            "tag": tag,
            "reference": f"{LOCAL}/{name}:{tag}",
            "context": context,
            "dockerfile": dockerfile,
            "target": target,
            "exclude": [],
            "args": args,
            "labels": {},
            "own": False,
        }

    def choose(self, key: str, source: str, override: dict, reachable: bool | None) -> dict:
        """Return {reference, origin, build?}; origin is undecided where only a registry's answer can tell."""
        if "image" in override:
            return {"reference": override["image"], "origin": "override"}
        if "build" in override:
            build = self.users(key, override["build"])
            return {"reference": build["reference"], "origin": "build", "build": build}
        upstream = self.catalogue[key].get("registry")
        if "package" not in self.catalogue[key]:
            return {"reference": mirrored(upstream, self.mirror), "origin": "registry"}
        build = self.package(key)
        packages = {"reference": build["reference"], "origin": "packages", "build": build}
        if not upstream or source == "packages":
            return packages
        registry = {"reference": mirrored(upstream, self.mirror), "origin": "registry"}
        if source == "registry" or self.here(registry["reference"]):
            return registry
        # A host that was set up from packages stays with them: its volumes were written by those versions.
        if f"{LOCAL}/{build['name']}" in self.packages_seen or reachable is False:
            return packages
        return registry if reachable else {**packages, "origin": "undecided", "registry": registry["reference"]}


def image_plan(
    catalogue: dict,
    role: str,
    wanted: list,
    source: str = "auto",
    overrides: dict | None = None,
    mirror: str = "",
    rebuild: bool | list = False,
    present: list = (),
    reachable: bool | None = None,
    suite: str = "bookworm",
) -> dict:
    """Choose an image for every key and tell which ones the host lacks.

    :arg catalogue: {key: {registry: reference?, package: {name, title, context?, target?, exclude?}?, stand_in: str?}},
        of registry and package at least one
    :arg role: folder of the role
    :arg present: lines of references that the host has
    :arg reachable: whether the registry answered; None when it was not asked
    :returns: {resolved: {X_IMAGE: reference}, stand_ins: {key: sentence}, pull: [reference], build: [...],
        base: {...}, undecided: [registry reference]}
    :raises AnsibleFilterError: naming variable, key and what is wrong
    """
    known = ", ".join(sorted(catalogue))
    overrides = overrides or {}
    for variable, keys in (
        ("images_wanted", wanted),
        ("images_overrides", overrides),
        ("images_rebuild", [] if isinstance(rebuild, bool) else set(rebuild or []) - {"base"}),
    ):
        for key in keys:
            if key not in catalogue:
                raise AnsibleFilterError(f"{variable}: unknown image '{key}'. Known are: {known}")
    if source not in SOURCES:
        raise AnsibleFilterError(f"images_source: '{source}' is none of {', '.join(SOURCES)}")
    for key, value in overrides.items():
        if not isinstance(value, dict) or len({"image", "build"} & set(value)) != 1 or len(value) != 1:
            raise AnsibleFilterError(
                f"images_overrides.{key}: give either {{image: reference}} or {{build: {{context: folder}}}}"
            )
        if "build" in value and not isinstance(value["build"], dict):
            raise AnsibleFilterError(f"images_overrides.{key}.build: a mapping with the key `context` is expected")
        if "image" in value and not re.match(r"[\w.-]+(:\d+)?[\w./:@-]*$", str(value["image"] or "")):
            raise AnsibleFilterError(f"images_overrides.{key}.image: '{value['image']}' is not an image reference")

    for key in wanted:
        if source == "packages" and "package" not in catalogue[key] and key not in overrides:
            raise AnsibleFilterError(
                f"images_source: packages: '{key}' is not built here; use a registry, or name one in images_overrides"
            )

    planner = _Planner(catalogue, role, present, mirror, rebuild, suite)
    plan: dict = {"resolved": {}, "stand_ins": {}, "pull": [], "build": [], "undecided": []}
    for key in catalogue:
        choice = planner.choose(key, source, overrides.get(key) or {}, reachable)
        reference, origin = choice["reference"], choice["origin"]
        plan["resolved"][f"{key.upper()}_IMAGE"] = reference
        if origin in ("packages", "undecided") and catalogue[key].get("stand_in"):
            plan["stand_ins"][key] = catalogue[key]["stand_in"]
        if key not in wanted or (planner.here(reference) and key not in planner.rebuild):
            continue
        if origin == "undecided" and choice["registry"] not in plan["undecided"]:
            plan["undecided"].append(choice["registry"])
        elif "build" in choice:
            again = key in planner.rebuild
            build = {**choice["build"], "again": again, "options": _options(choice["build"], again)}
            if build["reference"] not in [entry["reference"] for entry in plan["build"]]:
                plan["build"].append(build)
        elif reference not in plan["pull"]:
            plan["pull"].append(reference)
    again = "base" in planner.rebuild and any(entry["own"] for entry in plan["build"])
    plan["base"] = {**planner.base, "suite": suite, "here": planner.here(planner.base["reference"]), "again": again}
    plan["stand_ins"] = {key: text for key, text in plan["stand_ins"].items() if key in wanted}
    return plan


class FilterModule:
    """Filters about images."""

    def filters(self):
        return {"context_archive": context_archive, "image_plan": image_plan}
