# Copyright: (c) 2026, The optiinfra.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The failure that is told without a traceback; apart, so that who can only fail need not carry the parser along."""

from __future__ import annotations


class StackError(ValueError):
    """A stack that cannot be used; the message says where, which value and why."""
