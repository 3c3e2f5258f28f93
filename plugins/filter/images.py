# Copyright: (c) 2026, The optiinfra.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The choice of images: what is used, pulled or built, from the catalogue, the user's wishes and what is present."""

from __future__ import annotations

import hashlib
import json
import os
import re
from pathlib import Path

import yaml
from ansible.errors import AnsibleFilterError

SOURCES = ("auto", "registry", "packages")
LOCAL = "localhost/optiinfra/"
# Not part of what runs, so not part of what an image is made of.
IGNORED = {"__pycache__", "tests", ".pytest_cache", ".venv", "node_modules", ".next", ".git"}


def _version():
    """Return the collection's version, from its manifest when it is installed, else from galaxy.yml."""
    root = Path(__file__).resolve().parents[2]
    manifest = root / "MANIFEST.json"
    if manifest.exists():
        return json.loads(manifest.read_text(encoding="utf-8"))["collection_info"]["version"]
    return yaml.safe_load((root / "galaxy.yml").read_text(encoding="utf-8"))["version"]


VERSION = _version()


def context_digest(folder, *more):
    """Return 12 digits that change when any file of a build context, or any text of ``more``, does.

    :raises AnsibleFilterError: when the folder cannot be read
    """
    digest = hashlib.sha256("\0".join(more).encode())
    root = Path(folder)
    if not root.is_dir():
        raise AnsibleFilterError(f"images: no folder {folder}")
    for path, folders, names in os.walk(root):
        folders[:] = sorted(set(folders) - IGNORED)
        for name in sorted(names):
            file = Path(path, name)
            if file.suffix == ".pyc" or not file.is_file():
                continue
            digest.update(f"\0{file.relative_to(root)}\0{os.access(file, os.X_OK):d}\0".encode())
            digest.update(file.read_bytes())
    return digest.hexdigest()[:12]


def local_name(reference):
    """Return a reference as ``docker image ls`` writes it: without Docker Hub's own name."""
    return re.sub(r"^docker\.io/(library/)?", "", reference)


def _mirrored(reference, mirror):
    return re.sub(r"^docker\.io/", mirror.rstrip("/") + "/", reference) if mirror else local_name(reference)


class _Chooser:
    def __init__(self, catalogue, settings):
        self.catalogue = catalogue
        self.settings = settings
        self.present = set(settings["present"])
        self.files = Path(settings["files"])
        base = context_digest(self.files / "base", settings["debian_mirror"])
        self.base = f"{LOCAL}base:{VERSION}-{base}"
        self.result = {"resolved": {}, "stand_ins": {}, "pull": [], "build": [], "undecided": [], "base": self.base}

    def use(self, key, reference, missing, entry=None):
        """Resolve a key, and note how to obtain its image: 'pull', 'build' or not at all (None)."""
        self.result["resolved"][f"{key.upper()}_IMAGE"] = reference
        if missing == "pull" and reference not in self.result["pull"]:
            self.result["pull"].append(reference)
        if missing == "build" and reference not in [image["reference"] for image in self.result["build"]]:
            self.result["build"].append(entry)

    def is_missing(self, key, reference):
        return local_name(reference) not in self.present or key in self.settings["rebuild"]

    def build_entry(self, reference, context, build, shareable):
        settings = self.settings
        folder = f"{settings['build_dir']}/{Path(context).name}-{hashlib.sha256(str(context).encode()).hexdigest()[:8]}"
        argv = ["docker", "build", "--quiet", "--tag", reference]
        if shareable:
            argv += ["--build-arg", f"BASE={self.base}"]
        for name, value in (build.get("args") or {}).items():
            argv += ["--build-arg", f"{name}={value}"]
        if build.get("target"):
            argv += ["--target", build["target"]]
        if build.get("dockerfile"):
            argv += ["--file", f"{folder}/{build['dockerfile']}"]
        registry = settings["shared_registry"]
        shared = f"{registry}/{reference.removeprefix('localhost/')}" if registry and shareable else ""
        return {
            "reference": reference,
            "context": str(context),
            "folder": folder,
            "argv": [*argv, folder],
            "shared": shared,
        }

    def from_packages(self, key):
        entry = self.catalogue[key]
        context = self.files / entry["context"]
        digest = context_digest(context, self.base, entry.get("target", ""))
        reference = f"{LOCAL}{entry['package']}:{VERSION}-{digest}"
        return reference, self.build_entry(reference, context, {"target": entry.get("target")}, shareable=True)

    def override(self, key, wish):
        where = f"images_overrides.{key}"
        if not isinstance(wish, dict) or set(wish) not in ({"image"}, {"build"}):
            raise AnsibleFilterError(f"{where}: {{image: reference}} or {{build: {{context: folder}}}} is expected")
        if "image" in wish:
            reference = str(wish["image"])
            if not re.match(r"^[A-Za-z0-9][A-Za-z0-9._:/@-]*$", reference):
                raise AnsibleFilterError(f"{where}.image: {reference!r} is no image reference")
            self.use(key, reference, "pull" if self.is_missing(key, _tagged(reference)) else None)
            return
        build = wish["build"]
        if not isinstance(build, dict) or not build.get("context"):
            raise AnsibleFilterError(f"{where}.build.context: the folder to build in is missing")
        context = Path(str(build["context"])).expanduser()
        if not (context / build.get("dockerfile", "Dockerfile")).is_file():
            raise AnsibleFilterError(f"{where}.build: no file {context / build.get('dockerfile', 'Dockerfile')}")
        digest = context_digest(context, repr(sorted((k, repr(v)) for k, v in build.items())))
        reference = f"{LOCAL}custom-{key.replace('_', '-')}:{digest}"
        entry = self.build_entry(reference, context.resolve(), build, shareable=False)
        self.use(key, reference, "build" if self.is_missing(key, reference) else None, entry)

    def choose(self, key):
        entry = self.catalogue[key]
        source = self.settings["source"]
        upstream = _mirrored(entry["registry"], self.settings["mirror"]) if entry.get("registry") else None
        if upstream and (source == "registry" or (source == "auto" and not self.is_missing(key, upstream))):
            self.use(key, upstream, "pull" if self.is_missing(key, upstream) else None)
            return
        reference, build = self.from_packages(key)
        missing = self.is_missing(key, reference)
        if missing and upstream and source == "auto":
            self.result["undecided"].append(key)
        self.use(key, reference, "build" if missing else None, build)
        if entry.get("stand_in"):
            self.result["stand_ins"][key] = entry["stand_in"]


def _tagged(reference):
    return reference if re.search(r"[:@][^/]*$", reference) else reference + ":latest"


def image_choice(catalogue, settings):
    """Choose the image of each wanted key.

    :arg catalogue: {key: {registry?, package, context, target?, stand_in?}}
    :arg settings: {wanted: [key], source, overrides, present: [name:tag], files: folder of contexts, mirror,
        rebuild: [key], build_dir, shared_registry, debian_mirror}
    :returns: {resolved: {KEY_IMAGE: reference}, stand_ins: {key: text}, pull: [reference],
        build: [{reference, context, folder, argv, shared}], undecided: [key] that a registry may have, base: reference}
    :raises AnsibleFilterError: naming variable, key and value
    """
    if settings["source"] not in SOURCES:
        raise AnsibleFilterError(f"images_source: {settings['source']!r} is not one of {', '.join(SOURCES)}")
    for variable in ("wanted", "overrides", "rebuild"):
        unknown = [key for key in settings[variable] if key not in catalogue]
        if unknown:
            raise AnsibleFilterError(f"images_{variable}: {unknown[0]!r} is no image; there are {', '.join(catalogue)}")
    chooser = _Chooser(catalogue, settings)
    for key in settings["wanted"]:
        if key in settings["overrides"]:
            chooser.override(key, settings["overrides"][key])
        else:
            chooser.choose(key)
    return chooser.result


class FilterModule:
    """Filters about images."""

    def filters(self):
        return {"image_choice": image_choice}
