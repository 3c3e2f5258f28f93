# Copyright: (c) 2026, The optiinfra.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether a name in a document means a service: the same words, up to those that say nothing."""

from __future__ import annotations

import functools
import re

from .texts import listed

_SAME = {
    "postgresql": "postgres",
    "pg": "postgres",
    "psql": "postgres",
    "mongo": "mongodb",
    "mq": "rabbitmq",
    "elastic": "elasticsearch",
    "es": "elasticsearch",
    "prom": "prometheus",
    "fe": "frontend",
    "be": "backend",
}
# Words that many names carry and that tell no service from another.
_EMPTY = listed("server service services container the app instance")
_FILLER = _EMPTY | listed(
    """database databases db cache broker engine dashboard dashboards http https grpc native tcp udp main ui web api
    rest js node nodejs nextjs next react vue angular python fastapi go golang java spring django flask express laravel
    rails internal external public default primary"""
)
_WORDS = re.compile(r"[a-z0-9]+")


@functools.lru_cache(maxsize=8192)
def words(text):
    """Return the words of a name, in one spelling, without bare numbers."""
    text = text.lower().replace(".js", "js")
    return frozenset(_SAME.get(word, word) for word in _WORDS.findall(text) if not word.isdigit())


def alike(one, two):
    """Return how well two names agree: 2 for the same words, 1 for the same but for empty ones, 0 for different."""
    one, two = words(one), words(two)
    if not one or not two:
        return 0
    if one == two:
        return 2
    common, extra = one & two, one ^ two
    if extra <= _EMPTY and common:
        return 1
    return 1 if extra <= _FILLER and common - _FILLER else 0


def disjoint(one, two):
    """Tell whether two names have no telling word in common."""
    return not (words(one) & words(two))
