# Copyright: (c) 2026, The optiinfra.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filters that make views of audits."""

from __future__ import annotations

from ansible.errors import AnsibleFilterError
from ansible_collections.optiinfra.platform.plugins.module_utils._stack import StackError
from ansible_collections.optiinfra.platform.plugins.plugin_utils import views


def audit_page(report, stacks):
    """Return a document as a page."""
    try:
        return views.page(report, stacks)
    except StackError as exc:
        raise AnsibleFilterError(f"audit_page: {exc}") from None


class FilterModule:
    """Filters about audits."""

    def filters(self):
        return {
            "audit_completion": views.completion,
            "audit_document": views.document,
            "audit_markdown": views.markdown,
            "audit_metrics": views.metrics,
            "audit_page": audit_page,
            "audit_summary": views.summary,
        }
