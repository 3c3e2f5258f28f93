"""What an agent sees of a customer: each series of a window of time, summed up by ClickHouse."""

import datetime
import json
from collections.abc import Iterable
from typing import Any, NamedTuple

from clickhouse_driver import Client

# DISTINCT, since a batch that was written twice stands there twice until ClickHouse merges. Runs on 18.16 as well.
QUERY = """
SELECT target, metric, labels, count(), avg(value), max(value), argMin(value, at), argMax(value, at)
FROM (
    SELECT DISTINCT target, metric, labels, at, value FROM metrics
    WHERE day >= toDate(%(since)s) AND at >= %(since)s AND at <= %(until)s AND customer = %(customer)s
      AND metric IN %(metrics)s
)
GROUP BY target, metric, labels ORDER BY target, metric, labels
"""


# The newest interval that is there as a whole: what belongs to it is written at once, what is scraped later is later.
NEWEST = """
SELECT max(at) FROM metrics WHERE day >= toDate(%(since)s) AND at >= %(since)s AND customer = %(customer)s
"""
FORM = "%Y-%m-%d %H:%M:%S"


class Series(NamedTuple):
    """A series' samples in the window: their number, mean, maximum, first and last value."""

    target: str
    metric: str
    labels: dict[str, str]
    count: int
    mean: float
    maximum: float
    first: float
    last: float

    @property
    def increase(self) -> float:
        """How much a counter grew; what it has since it began anew, when it did."""
        return self.last - self.first if self.last >= self.first else self.last


class Window(NamedTuple):
    """Series by (target, metric), and the time that they are of."""

    since: datetime.datetime
    until: datetime.datetime
    series: dict[tuple[str, str], list[Series]]

    def of(self, metric: str) -> list[Series]:
        return [one for (_target, name), several in self.series.items() if name == metric for one in several]

    @property
    def seconds(self) -> float:
        return (self.until - self.since).total_seconds()


def make_window(since: datetime.datetime, until: datetime.datetime, rows: Iterable[tuple[Any, ...]]) -> Window:
    found: dict[tuple[str, str], list[Series]] = {}
    for target, metric, labels, *values in rows:
        found.setdefault((target, metric), []).append(Series(target, metric, json.loads(labels), *values))
    return Window(since, until, found)


def read_window(client: Client, customer: str, metrics: Iterable[str], minutes: int) -> Window:
    """Return the last minutes of a customer's metrics, up to the newest that are there."""
    now = datetime.datetime.now(datetime.UTC).replace(tzinfo=None, microsecond=0)
    span = datetime.timedelta(minutes=minutes)
    newest = client.execute(NEWEST, {"since": (now - span).strftime(FORM), "customer": customer})[0][0]
    # Of nothing, ClickHouse's greatest time is 1970.
    until = newest if newest > now - span else now
    return _read(client, customer, metrics, until - span, until)


def read_baseline(client: Client, customer: str, metrics: Iterable[str], window: Window, minutes: int) -> Window:
    """Return the minutes before a window, what it is compared with."""
    return _read(client, customer, metrics, window.since - datetime.timedelta(minutes=minutes), window.since)


def _read(
    client: Client, customer: str, metrics: Iterable[str], since: datetime.datetime, until: datetime.datetime
) -> Window:
    values = {
        "since": since.strftime(FORM),
        "until": until.strftime(FORM),
        "customer": customer,
        "metrics": tuple(metrics),
    }
    return make_window(since, until, client.execute(QUERY, values))
