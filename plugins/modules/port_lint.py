#!/usr/bin/python
# Copyright: (c) 2026, The optiinfra.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: port_lint
short_description: Find contradictions about ports in the files of a source tree
version_added: 0.2.0
author:
  - The optiinfra.platform maintainers (@optiinfra)
description:
  - Reads Compose files, C(.env) files, Dockerfiles, Prometheus and nginx configuration, Kubernetes manifests and
    Markdown documents, and compares what they say about ports.
  - Finds host ports that two services want, health checks, scrape targets, upstreams and variables that name a port
    on which nobody listens, stores that are published to everybody, and documents that disagree with the files. Each
    finding has a stable code, severity, file, line, evidence and remedy. The codes are listed in the collection's
    C(docs/port-lint.md).
  - Overrides, profiles and variants of a project are told from files that run together.
  - A line is left out by a comment on it or above it, C(# port-lint) followed by a colon and C(ignore=code reason).
  - Runs on the controller, reads only, and needs no connection to the host.
extends_documentation_fragment:
  - optiinfra.platform.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
options:
  paths:
    description:
      - Files and folders on the controller. Folders of other people's code, such as C(node_modules), C(vendor),
        C(.git) and virtual environments, are passed over, and so are links to folders.
    type: list
    elements: path
    required: true
  root:
    description:
      - The folder that paths in findings are relative to, and that O(paths) are below. Defaults to the folder that all
        O(paths) have in common.
    type: path
  exclude:
    description: Shell patterns of names, or of paths relative to O(root), that are left out.
    type: list
    elements: str
    default: []
  accept:
    description: Findings that are known and accepted.
    type: list
    elements: dict
    default: []
    suboptions:
      code:
        description: The finding's code.
        type: str
        required: true
      subject:
        description: The finding's subject, in which C(*) stands for anything.
        type: str
        required: true
      file:
        description: The finding's file. Any file without it.
        type: str
      until:
        description: The last day on which it is accepted, as C(YYYY-MM-DD).
        type: str
      reason:
        description: Why it is accepted.
        type: str
  baseline:
    description:
      - A YAML or JSON file on the controller with more findings that are accepted, as a list of what O(accept) takes or
        below the key C(accept). There O(accept[].reason) has to be given, and an entry that is over, or that covers
        nothing, is a finding itself.
    type: path
  update_baseline:
    description:
      - Write to O(baseline) what there is to find now, so that only what comes later is reported. Entries that are
        still needed are kept with their reason, others are dropped.
    type: bool
    default: false
  fail_on:
    description: The least severity of a finding that makes the task fail.
    type: str
    choices: [never, info, warning, error]
    default: never
  sarif:
    description: A file on the controller to which the findings are written as SARIF 2.1.0.
    type: path
"""

EXAMPLES = r"""
# ansible localhost -m optiinfra.platform.port_lint -a 'paths=/path/to/source'
- name: Fail when the files contradict each other
  optiinfra.platform.port_lint:
    paths: "{{ playbook_dir }}/.."
    baseline: .port-lint.yml
    fail_on: warning
    sarif: port-lint.sarif
"""

RETURN = r"""
report:
  description: The findings above severity info, a line each, and a closing line with their number.
  returned: success or failure
  type: list
  elements: str
findings:
  description: What does not fit, the most severe first.
  returned: success or failure
  type: list
  elements: dict
  contains:
    code: {description: Stable name of the kind of finding, type: str}
    severity: {description: "info, warning or error", type: str}
    file: {description: The file's path below root, type: str}
    line: {description: The line, type: int}
    subject: {description: "What it is about, without line numbers", type: str}
    evidence: {description: What was seen, type: str}
    remedy: {description: What to do, type: str}
    related: {description: "Other places that matter, each with file and line", type: list, elements: dict}
ignored:
  description: Findings that comments in the files hide, with their reason.
  returned: success or failure
  type: list
  elements: dict
accepted:
  description: Findings that O(accept) or O(baseline) cover, with their reason.
  returned: success or failure
  type: list
  elements: dict
files:
  description: How many files of each kind were read.
  returned: success or failure
  type: dict
  sample: {compose: 3, dockerfile: 2, markdown: 5}
skipped:
  description: Files that were not read, and why.
  returned: success or failure
  type: list
  elements: dict
root:
  description: The folder that paths are relative to.
  returned: success or failure
  type: str
"""
