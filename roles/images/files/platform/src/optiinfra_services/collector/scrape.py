"""Fetch an endpoint's metrics and parse them, whatever it answers: garbage, too much, too slow or nothing."""

import json
import math
import time
from collections.abc import Iterator
from typing import NamedTuple

import httpx
from prometheus_client.parser import text_string_to_metric_families


class ScrapeError(Exception):
    """Why a target gave no samples: one line for people."""


class Sample(NamedTuple):
    metric: str
    labels: str  # JSON, keys sorted: equal labels are equal texts
    value: float


def fetch(address: str, timeout: float, limit: int) -> str:
    """Return a page's text.

    :arg timeout: seconds for the whole, not for each packet
    :arg limit: bytes that are read at most
    :raises ScrapeError: for no answer, another status than 200, too much or too slow
    """
    deadline = time.monotonic() + timeout
    body = bytearray()
    try:
        with httpx.stream("GET", address, timeout=timeout, follow_redirects=False) as answer:
            if answer.status_code != 200:
                raise ScrapeError(f"it answers {answer.status_code}")
            for chunk in answer.iter_bytes():
                body += chunk
                if len(body) > limit:
                    raise ScrapeError(f"more than {limit} bytes")
                if time.monotonic() > deadline:
                    raise ScrapeError(f"not complete within {timeout:g} s")
    except httpx.TimeoutException:
        raise ScrapeError(f"no answer within {timeout:g} s") from None
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise ScrapeError(" ".join(str(error).split())[:200] or type(error).__name__) from None
    return body.decode("utf-8", "replace")


def parse(text: str) -> Iterator[Sample]:
    """Yield the samples of a page in Prometheus' text format; those that are no number are left out.

    :raises ScrapeError: when it is not in that format
    """
    try:
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                if math.isfinite(sample.value):
                    yield Sample(sample.name, json.dumps(sample.labels, sort_keys=True), float(sample.value))
    except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
        raise ScrapeError(f"no metrics in Prometheus' format: {' '.join(str(error).split())[:120]}") from None
