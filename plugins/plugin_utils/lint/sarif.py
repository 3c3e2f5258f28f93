# Copyright: (c) 2026, The optiinfra.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Findings as SARIF 2.1.0, which code hosts and editors show beside the lines.

Source: https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html
"""

from __future__ import annotations

import hashlib
from urllib.parse import quote

from .codes import CODES

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
# The root of the source tree, as code hosts call it.
BASE = "%SRCROOT%"
_LEVELS = {"info": "note", "warning": "warning", "error": "error"}


def _rules():
    return [
        {
            "id": name,
            "shortDescription": {"text": code.meaning + "."},
            "help": {"text": code.remedy + "."},
            "defaultConfiguration": {"level": _LEVELS[code.severity]},
        }
        for name, code in CODES.items()
    ]


def _location(file, line):
    artifact = {"uri": quote(file, safe="/"), "uriBaseId": BASE}
    return {"physicalLocation": {"artifactLocation": artifact, "region": {"startLine": line}}}


def _result(finding, suppression=""):
    """Return a result; its fingerprint is the same when lines move."""
    identity = "\0".join((finding["code"], finding["file"], finding["subject"]))
    result = {
        "ruleId": finding["code"],
        "ruleIndex": list(CODES).index(finding["code"]),
        "level": _LEVELS[finding["severity"]],
        "message": {"text": f"{finding['subject']}: {finding['evidence']}. {finding['remedy']}."},
        "locations": [_location(finding["file"], finding["line"])],
        "partialFingerprints": {"portLint/v1": hashlib.sha256(identity.encode()).hexdigest()},
    }
    if finding["related"]:
        result["relatedLocations"] = [_location(place["file"], place["line"]) for place in finding["related"]]
    if suppression:
        result["suppressions"] = [{"kind": suppression, "justification": finding.get("reason") or "no reason is given"}]
    return result


def to_sarif(result):
    """Return the SARIF log of an audit as a mapping.

    :arg result: what port_lint returns: {findings, ignored, accepted}
    """
    results = [_result(finding) for finding in result["findings"]]
    results += [_result(finding, "inSource") for finding in result.get("ignored", [])]
    results += [_result(finding, "external") for finding in result.get("accepted", [])]
    driver = {
        "name": "port_lint",
        "fullName": "optiinfra.platform.port_lint",
        "rules": _rules(),
    }
    run = {
        "tool": {"driver": driver},
        "originalUriBaseIds": {BASE: {"description": {"text": "The root of the tree that was audited."}}},
        "results": results,
        "columnKind": "unicodeCodePoints",
    }
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}
