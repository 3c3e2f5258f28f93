"""How many cases Hypothesis tries, and what a hang is.

OPTIINFRA_FUZZ=100 has every test of this kind try a hundred times as many cases: 100,000 and more in all.
"""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import string

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

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


def mutated(text):
    """Texts that are nearly this one: lines lost, doubled, swapped, cut, with other words and bytes in them."""
    lines = text.splitlines()
    words = sorted({word for line in lines for word in line.split()})
    word = (
        st.sampled_from(words) | st.text(string.printable, max_size=12) | st.sampled_from(["!", "-", '"', "\\", "\0"])
    )

    @st.composite
    def build(draw):
        out = list(lines)
        for _n in range(draw(st.integers(1, 6))):
            index = draw(st.integers(0, len(out) - 1))
            kind = draw(st.sampled_from(["lose", "double", "swap", "cut", "word", "insert", "all"]))
            if kind == "lose" and len(out) > 1:
                del out[index]
            elif kind == "double":
                out.insert(draw(st.integers(0, len(out))), out[index])
            elif kind == "swap":
                other = draw(st.integers(0, len(out) - 1))
                out[index], out[other] = out[other], out[index]
            elif kind == "cut":
                out[index] = out[index][: draw(st.integers(0, len(out[index])))]
            elif kind == "all":
                out[index] = draw(st.text(max_size=30))
            else:
                parts = out[index].split(" ")
                place = draw(st.integers(0, len(parts) - 1))
                parts[place : place + (kind == "word")] = [draw(word)]
                out[index] = " ".join(parts)
        return "\n".join(out)

    return build()
