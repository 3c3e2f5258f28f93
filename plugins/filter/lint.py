# Copyright: (c) 2026, The optiinfra.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filter that writes findings about files in a form for other tools."""

from __future__ import annotations

from ansible.errors import AnsibleFilterError
from ansible_collections.optiinfra.platform.plugins.plugin_utils.lint import sarif


def to_sarif(result):
    """Return the SARIF log of what port_lint returned.

    :raises AnsibleFilterError: for anything else
    """
    if not isinstance(result, dict) or not isinstance(result.get("findings"), list):
        raise AnsibleFilterError("to_sarif: what port_lint returned is expected, with the key findings")
    try:
        return sarif.to_sarif(result)
    except (KeyError, TypeError, ValueError) as exc:
        raise AnsibleFilterError(f"to_sarif: a finding is not as port_lint returns it: {exc!r}") from None


class FilterModule:
    """Filters about findings."""

    def filters(self):
        return {"to_sarif": to_sarif}
