# Copyright: (c) 2026, The optiinfra.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filters that make views of audits."""

from __future__ import annotations

from ansible_collections.optiinfra.platform.plugins.plugin_utils import views


class FilterModule:
    """Filters about audits."""

    def filters(self):
        return {"audit_document": views.document, "audit_page": views.page, "audit_summary": views.summary}
