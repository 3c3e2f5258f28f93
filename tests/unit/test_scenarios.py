"""What scenarios register comes before the variables of roles: the same name would break the role under test."""

from __future__ import annotations

import re


def test_no_scenario_registers_a_variable_of_a_role(root):
    of_roles = {
        name
        for kind in ("defaults", "vars")
        for path in root.glob(f"roles/*/{kind}/main.yml")
        for name in re.findall(r"^(\w+):", path.read_text(), re.MULTILINE)
    }
    registered = {
        (name, str(path.relative_to(root)))
        for path in root.glob("molecule/*/**/*.yml")
        for name in re.findall(r"^ *register: (\w+)$", path.read_text(), re.MULTILINE)
    }
    assert len(of_roles) > 100
    assert len(registered) > 50
    assert [pair for pair in sorted(registered) if pair[0] in of_roles] == []
