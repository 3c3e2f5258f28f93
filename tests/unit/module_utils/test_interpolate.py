"""Compose's variable interpolation, case by case as its specification lists them."""

from __future__ import annotations

import contextlib

import pytest
from ansible_collections.optiinfra.platform.plugins.module_utils._interpolate import InterpolationError, interpolate
from hypothesis import given
from hypothesis import strategies as st

ENVIRONMENT = {"SET": "value", "EMPTY": "", "PORT": "8080"}


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("plain", "plain"),
        ("$SET", "value"),
        ("${SET}", "value"),
        ("a${SET}b$PORT", "avalueb8080"),
        ("${NONE:-8080}", "8080"),
        ("${EMPTY:-8080}", "8080"),
        ("${EMPTY-8080}", ""),
        ("${NONE-8080}", "8080"),
        ("${SET:+other}", "other"),
        ("${EMPTY:+other}", ""),
        ("${EMPTY+other}", "other"),
        ("${NONE:-${PORT}}", "8080"),
        ("${NONE:-${ALSO:-9}}", "9"),
        ("${SET:?needed}", "value"),
        ("$$SET", "$SET"),
        ("${NONE:-a$$b}", "a$b"),
        ("${NONE:-}", ""),
    ],
)
def test_interpolate(text, result):
    assert interpolate(text, ENVIRONMENT) == result


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("${NONE}", "NONE is not set"),
        ("$NONE", "NONE is not set"),
        ("${EMPTY:?must be given}", "must be given"),
        ("${SET", "no closing brace"),
        ("${}", "names no variable"),
        ("${SET!x}", "not understood"),
        ("a $ b", "lone"),
        ("${A:-" * 5000 + "}" * 5000, "nested more than 30 deep"),
    ],
)
def test_errors_say_which(text, reason):
    with pytest.raises(InterpolationError, match=reason):
        interpolate(text, ENVIRONMENT)


@given(st.text(alphabet="${}:-+?SETab ", max_size=20))
def test_any_text_ends_well_or_with_our_error(text):
    with contextlib.suppress(InterpolationError):
        interpolate(text, ENVIRONMENT)


def test_unset_may_count_as_empty():
    assert interpolate("a${NONE}b$NONE${SET}", ENVIRONMENT, blank=True) == "abvalue"
