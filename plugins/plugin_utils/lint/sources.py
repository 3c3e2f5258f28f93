# Copyright: (c) 2026, The optiinfra.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which files of a tree are looked at, and what they are: cheap checks of names and bytes before anything is parsed."""

from __future__ import annotations

import fnmatch
import os
import re
import stat
from typing import NamedTuple

from .texts import listed

MAX_SIZE = 5 * 1024 * 1024
# Other people's files, and what tools write.
VENDORED = listed(
    """.git .hg .svn .bzr node_modules bower_components vendor site-packages .venv venv .tox .nox .eggs __pycache__
    .cache .mypy_cache .pytest_cache .ruff_cache .hypothesis .terraform .ansible .collections .gradle .m2 .next
    .nuxt .yarn .pnpm-store .direnv .idea .vscode third_party"""
)
# Documents that tell what was once.
_PAST = re.compile(r"(?i)^(changelog|changes|history|news|releases?|release[-_ ]?notes|migrat\w*|upgrad\w*)\b")
# Files of build services, whose services are no Compose project's.
_CI_FILES = listed(".gitlab-ci.yml .travis.yml bitbucket-pipelines.yml .drone.yml .woodpecker.yml")
_TEMPLATE = re.compile(rb"\{\{|\{%|<%|%\{|\[\[|__[A-Z_]+__")
_COMPOSE_NAME = re.compile(r"(?i)(^|[._-])(docker[-_]?)?(compose|stack)[^/]*\.ya?ml$")
_PROMETHEUS_NAME = re.compile(r"(?i)^prom[^/]*\.ya?ml$")
_ENV_NAME = re.compile(r"(?i)^(\.env([._-].+)?|[^/]+\.env|env[._-](example|sample|template|dist|default))$")
_ENV_NOT = re.compile(
    r"(?i)\.(j2|jinja2?|tpl|tmpl|erb|enc|gpg|sops|ts|js|mjs|cjs|py|rb|go|php|json|ya?ml|md|sh|swp|d)$"
)
_DOCKERFILE_NAME = re.compile(r"(?i)^((dockerfile|containerfile)([._-].+)?|.+\.(dockerfile|containerfile))$")
_NGINX_NAME = re.compile(r"(?i)(\.conf(\.template|\.example|\.sample|\.dist)?|\.nginx|\.vhost)$|^nginx[^.]*$")
_MARKDOWN_NAME = re.compile(r"(?i)\.(md|markdown)$")
_BEGINS = {
    "compose": (re.compile(rb"(?m)^[\"']?services[\"']?[ \t]*:"), re.compile(rb"(?m)^\s+[\"']?(image|build|ports)\b")),
    "prometheus": (re.compile(rb"(?m)^(scrape_configs|remote_write|alerting)[ \t]*:"),),
    "kubernetes": (
        re.compile(rb"(?m)^\s*(-\s+)?[\"']?apiVersion[\"']?[ \t]*:"),
        re.compile(rb"(?m)^\s*(-\s+)?[\"']?kind[\"']?[ \t]*:"),
    ),
}
_NGINX = (
    re.compile(rb"(?m)^[ \t]*(server|upstream[ \t]+[^\s{]+)[ \t\r\n]*\{"),
    re.compile(rb"(?m)\b(listen|proxy_pass|fastcgi_pass|uwsgi_pass|grpc_pass)[ \t]|^[ \t]*server[ \t]+[^\s{]+[^\n{]*;"),
)
_PORTISH = re.compile(rb"(?i)\bport|:\d{2,5}\b|\d{2,5}:|\bcontainers\b")


class Source(NamedTuple):
    """A file that is looked at. ``sure`` tells that its name says what it is."""

    path: str
    name: str  # relative to the root, with slashes
    kind: str
    text: str
    sure: bool


class Skipped(NamedTuple):
    """A file that would have been looked at, and why it was not."""

    name: str
    reason: str
    sure: bool


def _kinds(base):
    """Return [(kind, sure)] that a file of this name could have."""
    lower = base.lower()
    if lower in _CI_FILES:
        return []
    if lower.endswith((".yml", ".yaml")):
        kinds = [("compose", bool(_COMPOSE_NAME.search(base))), ("prometheus", bool(_PROMETHEUS_NAME.match(base)))]
        return [*sorted(kinds, key=lambda item: not item[1]), ("kubernetes", False)]
    if _DOCKERFILE_NAME.match(base):
        return [] if lower.endswith((".dockerignore", ".j2", ".md", ".sh", ".py", ".tpl")) else [("dockerfile", True)]
    if _ENV_NAME.match(base):
        return [] if _ENV_NOT.search(base) else [("dotenv", True)]
    if _MARKDOWN_NAME.search(base):
        return [] if _PAST.match(base) else [("markdown", False)]
    if _NGINX_NAME.search(base):
        return [("nginx", False)]
    return []


def _folders(top, exclude, root):
    """Yield (path, name) of every file under a folder, by name, without vendored folders and links to folders."""
    stack = [top]
    while stack:
        folder = stack.pop()
        try:
            with os.scandir(folder) as entries:
                entries = sorted(entries, key=lambda entry: entry.name)
        except OSError:
            continue
        below = []
        for entry in entries:
            name = relative(entry.path, root)
            if exclude and any(fnmatch.fnmatch(name, p) or fnmatch.fnmatch(entry.name, p) for p in exclude):
                continue
            try:
                if entry.is_dir(follow_symlinks=False):
                    if entry.name not in VENDORED and not os.path.exists(os.path.join(entry.path, "pyvenv.cfg")):
                        below.append(entry.path)
                elif entry.is_file() and not (entry.is_symlink() and _below(os.path.realpath(entry.path), root)):
                    yield entry.path, name
            except OSError:
                continue
        stack.extend(reversed(below))


def _below(path, root):
    """Tell whether a file is in the tree itself, where it is found under its own name."""
    return path.startswith(os.path.join(os.path.realpath(root), ""))


def relative(path, root):
    """Return a path relative to the root, with slashes."""
    return os.path.relpath(path, root).replace(os.sep, "/")


def _read(path):
    """Return (bytes, reason): the content of a file, or why it is not read."""
    try:
        with open(path, "rb") as handle:
            data = handle.read(MAX_SIZE + 1)
    except OSError as exc:
        return b"", f"cannot be read: {exc.strerror or exc}"
    if len(data) > MAX_SIZE:
        return data, f"larger than {MAX_SIZE // 1024 // 1024} MB"
    if b"\0" in data[:8192]:
        return data, "binary"
    return data, ""


def _looks(kind, sure, data, path):
    """Tell whether the content of a file is worth parsing as a kind."""
    if kind in _BEGINS:
        return all(pattern.search(data) for pattern in _BEGINS[kind]) or (
            sure and kind == "compose" and b"services" in data
        )
    if kind == "nginx":
        return all(pattern.search(data) for pattern in _NGINX)
    if kind == "markdown":
        return bool(_PORTISH.search(data))
    return True


def sources(paths, root, exclude=()):
    """Yield a Source for every file that is looked at, and a Skipped for one that would be but cannot.

    :arg paths: files and folders
    :arg exclude: shell patterns of names, or of paths relative to the root, that are left out
    """
    seen = set()
    for top in paths:
        files = _folders(top, exclude, root) if os.path.isdir(top) else [(top, relative(top, root))]
        for path, name in files:
            kinds = _kinds(os.path.basename(path))
            if not kinds:
                continue
            try:
                status = os.stat(path)
            except OSError as exc:
                yield Skipped(name, f"cannot be read: {exc.strerror or exc}", kinds[0][1])
                continue
            if (status.st_dev, status.st_ino) in seen:
                continue
            seen.add((status.st_dev, status.st_ino))
            data, reason = _read(path) if stat.S_ISREG(status.st_mode) else (b"", "no regular file")
            if reason:
                if any(sure for _kind, sure in kinds) or _looks(kinds[-1][0], False, data, path):
                    yield Skipped(name, reason, any(sure for _kind, sure in kinds))
                continue
            for kind, sure in kinds:
                if _looks(kind, sure, data, path):
                    yield Source(path, name, kind, _text(data), sure)
                    break


def _text(data):
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def is_template(text):
    """Tell whether a text is to be rendered first: Helm, Jinja, ERB, Terraform and the like."""
    return bool(_TEMPLATE.search(text.encode("utf-8", "replace")))
