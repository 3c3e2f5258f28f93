# Copyright: (c) 2026, The optiinfra.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The audit: find the files, parse them, apply the rules, drop what is ignored or accepted, rank what is left."""

from __future__ import annotations

import os
import posixpath
import re

from ansible_collections.optiinfra.platform.plugins.module_utils import _accept

from . import (
    compose,
    dockerfile,
    dotenv,
    kubernetes,
    markdown,
    nginx,
    prometheus,
    rules_clash,
    rules_docs,
    rules_exposure,
    rules_kubernetes,
    rules_refs,
)
from .codes import CODES, SEVERITIES
from .model import Finding, Place, Unreadable
from .projects import families, in_examples
from .sources import Skipped, is_template, sources
from .texts import Environment
from .tree import Tree

RULES = (
    rules_clash.clashes,
    rules_clash.companions,
    rules_clash.between,
    rules_refs.health,
    rules_refs.image_health,
    rules_refs.scrapes,
    rules_refs.upstreams,
    rules_refs.variables,
    rules_refs.listening,
    rules_refs.dotenvs,
    rules_exposure.stores,
    rules_exposure.targets,
    rules_kubernetes.services,
    rules_kubernetes.probes,
    rules_kubernetes.ingresses,
    rules_kubernetes.node_ports,
    rules_docs.ports,
    rules_docs.containers,
    rules_docs.counts,
    rules_docs.variables,
    rules_docs.clashes,
    rules_docs.missing,
    rules_docs.layers,
)
_PARSERS = {
    "dockerfile": ("stages", dockerfile.parse),
    "dotenv": ("dotenvs", dotenv.parse),
    "nginx": ("nginx", nginx.parse),
    "prometheus": ("prometheus", prometheus.parse),
    "kubernetes": ("manifests", kubernetes.parse),
    "markdown": ("documents", markdown.parse),
}
_IGNORE = re.compile(r"(?:#|//|<!--)\s*port-lint:\s*(ignore|ignore-file)\s*=\s*([\w,*-]+)[ \t]*([^\n]*)")
_EXAMPLE = re.compile(r"(?i)[._-](example|sample|template|dist|default)s?$|^(example|sample)\.")


class _Audit:
    def __init__(self, root):
        self.root = root
        self.tree = Tree()
        self.findings = []
        self.counts = {}
        self.skipped = []
        self.ignores = {}

    def read(self, paths, exclude):
        """Parse every file of the tree that is of a known kind."""
        found = []
        for source in sources(paths, self.root, exclude):
            if isinstance(source, Skipped):
                self.skipped.append({"file": source.name, "reason": source.reason})
                if source.sure:
                    self.unreadable(source.name, 1, source.reason)
                continue
            found.append(source)
            self.ignores[source.name] = _ignores(source)
        for source in found:
            if source.kind != "compose":
                attribute, parse = _PARSERS[source.kind]
                self.parse(source, getattr(self.tree, attribute), parse)
        environments = self.environments()
        files = {}
        for source in found:
            if source.kind == "compose":
                own = environments.get(posixpath.dirname(source.name), Environment())
                self.parse(source, files, lambda text, name, own=own: compose.parse(text, name, own))
        for item in files.values():
            self.findings.extend(item.findings)
        self.tree.families = families(files, environments)

    def parse(self, source, into, parse):
        """Parse one file into a mapping by path; what cannot be parsed is a finding, unless it is a template."""
        try:
            result = parse(source.text, source.name)
        except Unreadable as exc:
            if is_template(source.text):
                self.skipped.append({"file": source.name, "reason": "a template"})
            else:
                self.unreadable(source.name, exc.line, exc.problem)
            return
        except Exception as exc:  # a bug of ours must not hide what the other files have
            self.unreadable(source.name, 1, f"not understood ({type(exc).__name__}); please report it with the file")
            return
        if result is not None:
            into[source.name] = result
            self.counts[source.kind] = self.counts.get(source.kind, 0) + 1

    def unreadable(self, name, line, reason):
        severity = "info" if in_examples(posixpath.dirname(name)) else ""
        self.findings.append(Finding("unreadable", Place(name, line), posixpath.basename(name), reason, (), severity))

    def environments(self):
        """Return {folder: Environment}: its .env, with its .env.example for what has no default."""
        found = {}
        for path, values in self.tree.dotenvs.items():
            folder, base = posixpath.split(path)
            texts = {name: value.text for name, value in values.items()}
            if base == ".env":
                found.setdefault(folder, Environment()).update(texts)
            elif _EXAMPLE.search(base):
                found.setdefault(folder, Environment()).examples.update(texts)
        return found

    def judge(self):
        """Apply the rules; the same by two ways to start a project, or for all users of an anchor, is one finding."""
        for rule in RULES:
            try:
                self.findings.extend(rule(self.tree))
            except Exception as exc:  # a bug of ours must not hide what the other rules find
                name = f"{rule.__module__.rpartition('.')[2]}.{rule.__name__}"
                self.unreadable(".", 1, f"the rule {name} failed ({type(exc).__name__}: {exc}); please report it")
        unique, seen = [], set()
        for finding in sorted(self.findings, key=lambda f: f.rank):
            keys = {(finding.code, finding.place, text) for text in (finding.subject, finding.evidence)}
            if not keys & seen:
                unique.append(finding)
            seen |= keys
        return unique


def _ignores(source):
    """Return [(line, whole file, codes, reason)] of the ignore comments of a file, each for its line and the next."""
    if "port-lint:" not in source.text:
        return []
    found, fenced = [], False
    for index, written in enumerate(source.text.split("\n")):
        line = written
        if source.kind == "markdown":
            fenced ^= bool(re.match(r"\s{0,3}(```|~~~)", written))
            line = re.sub("`[^`]*`", "", written)
        match = _IGNORE.search(line)
        if not match or (source.kind == "markdown" and (fenced or not match.group().startswith("<!--"))):
            continue
        alone = not line[: match.start()].strip()
        reason = match.group(3).replace("-->", "").strip()
        lines = {index + 1, index + 2} if alone else {index + 1}
        whole = match.group(1) == "ignore-file"
        found.append((index + 1, None if whole else lines, match.group(2).strip(",").split(","), reason))
    return found


def _split_ignored(findings, ignores):
    """Return (left, ignored): what comments hide, with their reason, and findings about the comments themselves."""
    left, hidden, used = [], [], set()
    for finding in findings:
        reason = None
        for place in (finding.place, *finding.related):
            for line, lines, codes, why in ignores.get(place.file, ()):
                if (lines is None or place.line in lines) and finding.code in codes:
                    used.update({(place.file, line, finding.code)})
                    reason = why
        if reason is None:
            left.append(finding)
        else:
            hidden.append((finding, reason))
    for name, comments in ignores.items():
        for line, _lines, codes, why in comments:
            for code in codes:
                if code not in CODES:
                    problem = f"there is no code {code!r}"
                elif (name, line, code) not in used:
                    problem = f"there is no {code} here"
                elif not why:
                    problem = f"no reason is given for {code}"
                else:
                    continue
                left.append(Finding("ignore-comment", Place(name, line), code, problem))
    return left, hidden


def lint(paths, root, exclude=(), accept=(), today=""):
    """Return {findings, ignored, accepted, unneeded, files, skipped} of an audit.

    :arg paths: absolute files and folders
    :arg root: the folder that paths in findings are relative to
    :arg accept: [{code, subject, file, until, reason}] of findings that are known
    :arg today: as YYYY-MM-DD
    """
    audit = _Audit(os.path.abspath(root))
    audit.read(paths, exclude)
    left, hidden = _split_ignored(audit.judge(), audit.ignores)
    findings = [finding.as_dict() for finding in sorted(left, key=lambda f: f.rank)]
    findings, accepted, unneeded = _accept.split(findings, accept, today)
    return {
        "findings": findings,
        "ignored": [{**finding.as_dict(), "reason": reason} for finding, reason in hidden],
        "accepted": accepted,
        "unneeded": unneeded,
        "files": dict(sorted(audit.counts.items())),
        "skipped": audit.skipped,
    }


def about_baseline(name, entries, lines, unneeded):
    """Return findings about entries of a baseline that are over, or that cover nothing.

    :arg name: the baseline's file, relative to the root
    :arg lines: the line of each entry
    """
    found = []
    for code, item in unneeded:
        for entry, line in zip(entries, lines, strict=True):
            if entry is item:
                until = f" until {item['until']}" if code == "acceptance-expired" else ""
                evidence = f"accepted{until}, and it is there" if until else "accepted, and there is no such finding"
                subject = f"{item['code']}: {item['subject']}"
                found.append(Finding(code, Place(name, line), subject, evidence).as_dict())
    return found


def report(result):
    """Return the lines of a report: findings above notes, what to do, and the numbers."""
    shown = [f for f in result["findings"] if f["severity"] != "info"]
    width = max((len(f["code"]) for f in shown), default=0)
    lines = [
        f"{f['severity']:7}  {f['code']:{width}}  {f['file']}:{f['line']}: {f['subject']}: {f['evidence']}"
        for f in shown
    ]
    lines += [f"{code}: {CODES[code].remedy}." for code in dict.fromkeys(f["code"] for f in shown)]
    counts = {severity: sum(1 for f in result["findings"] if f["severity"] == severity) for severity in SEVERITIES}
    return [
        *lines,
        f"files: {sum(result['files'].values())}; errors: {counts['error']}, warnings: {counts['warning']}, "
        f"notes: {counts['info']}, accepted: {len(result['accepted'])}, ignored: {len(result['ignored'])}",
    ]
