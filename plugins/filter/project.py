# Copyright: (c) 2026, The optiinfra.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filters that complete a Compose project on the controller: its secrets, its .env file, its configuration labels."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import secrets
import string
from urllib.parse import quote

from ansible.errors import AnsibleFilterError

ALPHANUMERIC = string.ascii_letters + string.digits
MINIMUM_LENGTH = 12
# A secret ends up in .env, in URLs and in configuration read from standard input: none of them may need escaping.
FORBIDDEN = re.compile(r"""[\s'"\\$`#]|[^\x21-\x7e]""")
CONFIG_LABEL = "io.optiinfra.config"


def _generate(spec: dict) -> str:
    if spec.get("kind", "alphanumeric") == "fernet":
        return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()
    return "".join(secrets.choice(ALPHANUMERIC) for _unused in range(int(spec.get("length", 32))))


def complete_secrets(specs: dict, kept: str | None, path: str = "secrets.json") -> dict[str, str]:
    """Return {NAME: value} for every secret: the given value, else the kept one, else a new one.

    :arg specs: {NAME: {value: str, length: characters, kind: alphanumeric|fernet}}
    :arg kept: base64 of the JSON object kept on the host, None when there is none yet
    :raises AnsibleFilterError: naming file and key, never a value
    """
    known: dict = {}
    if kept:
        try:
            known = json.loads(base64.b64decode(kept))
        except ValueError as exc:
            raise AnsibleFilterError(f"{path}: not a JSON object ({exc}). Restore it from a backup") from exc
        if not isinstance(known, dict):
            raise AnsibleFilterError(f"{path}: a JSON object is expected, not a {type(known).__name__}")
    values = {}
    for name, spec in specs.items():
        given = spec.get("value") or ""
        if given:
            if len(given) < MINIMUM_LENGTH:
                raise AnsibleFilterError(f"secret {name}: at least {MINIMUM_LENGTH} characters are needed")
            if FORBIDDEN.search(given):
                raise AnsibleFilterError(
                    f"secret {name}: use printable ASCII without white space, quotes, backslash, $, # and `"
                )
        values[name] = given or known.get(name) or _generate(spec)
    return values


def urlencoded(values: dict) -> dict[str, str]:
    """Return the values once more as NAME_URLENCODED, for connection URLs."""
    return {f"{name}_URLENCODED": quote(value, safe="") for name, value in values.items()}


def dotenv(values: dict) -> str:
    """Return the text of a Compose .env file; every value is in single quotes, so none is interpolated.

    :raises AnsibleFilterError: for a value that such a file cannot hold
    """
    lines = []
    for name in sorted(values):
        value = values[name]
        text = ("true" if value else "false") if isinstance(value, bool) else str(value)
        if "\n" in text or "\r" in text:
            raise AnsibleFilterError(f"variable {name}: a value of several lines cannot be kept in .env")
        lines.append("{0}='{1}'\n".format(name, text.replace("'", "\\'")))
    return "".join(lines)


def config_labels(project: dict, files: list, variables: dict | None = None) -> dict:
    """Return the project with a label on each service that mounts configuration: a digest of what it mounts.

    Compose compares a service's definition, not the files and secrets it mounts; with the digest in the definition
    exactly the services whose configuration changed are recreated.

    :arg files: [{dest: str, content: str, services: [str]}]
    :arg variables: {NAME: value}, for secrets that are declared by ``environment: NAME``
    """
    mounted: dict[str, list[str]] = {}
    for entry in sorted(files, key=lambda item: item["dest"]):
        for name in entry.get("services", []):
            mounted.setdefault(name, []).append(f"{entry['dest']}\0{entry['content']}")
    for name, service in project["services"].items():
        for secret in service.get("secrets") or []:
            source = secret if isinstance(secret, str) else secret.get("source")
            variable = ((project.get("secrets") or {}).get(source) or {}).get("environment")
            if variable:
                mounted.setdefault(name, []).append(f"{source}\0{(variables or {}).get(variable, '')}")
    services = dict(project["services"])
    for name, texts in mounted.items():
        if name not in services:
            raise AnsibleFilterError(f"stack_files: no service '{name}' in the stack {project.get('name')}")
        labels = services[name].get("labels") or {}
        if not isinstance(labels, dict):
            labels = dict(item.partition("=")[::2] for item in labels)
        digest = hashlib.sha256("\0".join(texts).encode()).hexdigest()[:16]
        services[name] = {**services[name], "labels": {**labels, CONFIG_LABEL: digest}}
    return {**project, "services": services}


def compose_drift(hashes: str, containers: str) -> dict[str, list[str]]:
    """Tell what `docker compose up` would do by Compose's own rule: the hash of a service's definition.

    :arg hashes: output of ``docker compose config --hash '*'``: "service hash" a line
    :arg containers: "service hash state" a line, from ``docker ps`` (labels com.docker.compose.service/config-hash)
    :returns: {create: [...], recreate: [...], start: [...], remove: [...]}, service names in order
    """
    wanted = dict(line.split()[:2] for line in hashes.splitlines() if line.strip())
    found = {}
    for line in containers.splitlines():
        service, digest, state = [*line.split(), "", "", ""][:3]
        if service:
            found[service] = (digest, state)
    return {
        "create": [name for name in wanted if name not in found],
        "recreate": [name for name in wanted if name in found and found[name][0] != wanted[name]],
        "start": [
            name for name in wanted if name in found and found[name][0] == wanted[name] and found[name][1] != "running"
        ],
        "remove": [name for name in found if name not in wanted],
    }


def stale_files(files: list, found: list[str]) -> list:
    """Return the files that are not on the host as they should be.

    :arg files: [{dest: str, content: str, mode: str such as "0644"}]
    :arg found: "mode uid gid sha256 dest" a line, of those that are there
    """
    lines = set(found)

    def line(entry: dict) -> str:
        digest = hashlib.sha256(entry["content"].encode()).hexdigest()
        return f"{int(entry['mode'], 8):o} 0 0 {digest} {entry['dest']}"

    return [entry for entry in files if line(entry) not in lines]


class FilterModule:
    """Filters about a Compose project."""

    def filters(self):
        return {
            "complete_secrets": complete_secrets,
            "compose_drift": compose_drift,
            "config_labels": config_labels,
            "dotenv": dotenv,
            "stale_files": stale_files,
            "urlencoded": urlencoded,
        }
