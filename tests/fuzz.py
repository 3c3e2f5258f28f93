"""How many cases Hypothesis tries, and what a hang is.

OPTIINFRA_FUZZ=100 has every test of this kind try a hundred times as many cases: 100,000 and more in all.
"""

from __future__ import annotations

import contextlib
import functools
import os
import signal

from hypothesis import HealthCheck, settings

FACTOR = int(os.environ.get("OPTIINFRA_FUZZ", "1"))
# Seconds of the processor that one case may take: a busy machine does not count.
PATIENCE = 20


class Hang(Exception):
    """A case that does not end."""


@contextlib.contextmanager
def ending():
    """Raise Hang in what does not end."""

    def give_up(_signal, _frame):
        raise Hang

    before = signal.signal(signal.SIGVTALRM, give_up)
    signal.setitimer(signal.ITIMER_VIRTUAL, PATIENCE)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def cases(count):
    """Have a test of Hypothesis try so many cases, each of which has to end."""

    def decorate(test):
        inner = test.hypothesis.inner_test

        @functools.wraps(inner)
        def run(*args, **kwargs):
            with ending():
                return inner(*args, **kwargs)

        test.hypothesis.inner_test = run
        checks = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
        return settings(max_examples=count * FACTOR, deadline=None, database=None, suppress_health_check=checks)(test)

    return decorate
