"""What the tests of the audit of files share."""

from __future__ import annotations

import pytest
from ansible_collections.optiinfra.platform.plugins.plugin_utils.lint import audit


@pytest.fixture
def lint(tmp_path):
    """Return a function that writes {name: text or bytes} and audits them."""

    def run(files, **options):
        for name, content in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return audit.lint([str(tmp_path)], str(tmp_path), **options)

    return run
