"""Searches: Qdrant's /points/search and /points/query, as requests to the engine."""

from typing import Any

import qdrant_edge as edge

from . import Refused
from .convert import a_list, filter_in, integer, known, need, order_in, params_in, point_id, point_out, vector_in
from .convert import with_payload_in as payload_in

COMMON = ("limit", "offset", "filter", "params", "with_payload", "with_vector", "score_threshold", "shard_key")


def search(shard: edge.EdgeShard, body: dict[str, Any]) -> list[dict[str, Any]]:
    known(body, "body", "vector", *COMMON)
    vector = need(body, "body", "vector")
    using = None
    if isinstance(vector, dict) and "name" in vector:
        using, vector = vector["name"], vector["vector"]
    need(body, "body", "limit")
    return _run(shard, body, edge.Query.Nearest(vector_in(vector), using=using), [])


def query(shard: edge.EdgeShard, body: dict[str, Any]) -> list[dict[str, Any]]:
    known(body, "body", "query", "prefetch", "using", *COMMON)
    prefetches = [_prefetch(shard, item) for item in a_list(body.get("prefetch") or [])]
    if body.get("query") is None:
        if prefetches:
            raise Refused("Wrong input: A query is needed to merge the prefetches")
        return scroll_points(shard, body)
    return _run(shard, body, _query(shard, body["query"], body.get("using")), prefetches)


def scroll_points(shard: edge.EdgeShard, body: dict[str, Any]) -> list[dict[str, Any]]:
    # Without a query the points come in the order of their ids, all with the same score.
    offset, limit = integer(body.get("offset") or 0, "offset"), integer(body.get("limit", 10), "limit", 1)
    payload, vector = payload_in(body.get("with_payload")), body.get("with_vector") or False
    request = edge.ScrollRequest(
        limit=offset + limit, filter=filter_in(body.get("filter")), with_payload=payload, with_vector=vector
    )
    points, _next = shard.scroll(request)
    return [point_out(point, payload, vector) | {"version": 0, "score": 0.0} for point in points[offset:]]


def _run(shard: edge.EdgeShard, body: dict[str, Any], wanted: Any, prefetches: list[Any]) -> list[dict[str, Any]]:
    payload, vector = payload_in(body.get("with_payload")), body.get("with_vector") or False
    request = edge.QueryRequest(
        limit=integer(body.get("limit", 10), "limit", 1),
        offset=integer(body.get("offset") or 0, "offset"),
        query=wanted,
        prefetches=prefetches,
        with_vector=vector,
        with_payload=payload,
        filter=filter_in(body.get("filter")),
        score_threshold=body.get("score_threshold"),
        params=params_in(body.get("params")),
    )
    return [point_out(point, payload, vector) for point in shard.query(request)]


def _prefetch(shard: edge.EdgeShard, body: dict[str, Any]) -> edge.Prefetch:
    known(body, "prefetch", "query", "prefetch", "using", "limit", "filter", "params", "score_threshold")
    return edge.Prefetch(
        limit=integer(body.get("limit", 10), "prefetch.limit", 1),
        query=_query(shard, need(body, "prefetch", "query"), body.get("using")),
        prefetches=[_prefetch(shard, item) for item in a_list(body.get("prefetch") or [])],
        params=params_in(body.get("params")),
        filter=filter_in(body.get("filter")),
        score_threshold=body.get("score_threshold"),
    )


def _query(shard: edge.EdgeShard, value: Any, using: str | None) -> Any:
    if not isinstance(value, dict) or set(value) == {"indices", "values"}:
        return edge.Query.Nearest(_vector(shard, value, using), using=using)
    known(value, "query", "nearest", "order_by", "sample", "fusion", "rrf", "recommend")
    if "nearest" in value:
        return edge.Query.Nearest(_vector(shard, value["nearest"], using), using=using)
    if "order_by" in value:
        return order_in(value["order_by"])
    if value.get("sample") == "random":
        return edge.Sample.Random
    if value.get("fusion") == "rrf":
        return edge.Fusion.Rrf(2)
    if value.get("fusion") == "dbsf":
        return edge.Fusion.Dbsf()
    if "rrf" in value:
        return edge.Fusion.Rrf(value["rrf"].get("k") or 2, value["rrf"].get("weights"))
    if "recommend" in value:
        return _recommend(shard, value["recommend"], using)
    raise Refused("Format error in JSON body: the query is of no kind that this stand-in knows")


def _recommend(shard: edge.EdgeShard, value: Any, using: str | None) -> edge.Query:
    known(value, "recommend", "positive", "negative", "strategy")
    strategies = {"best_score": edge.Query.RecommendBestScore, "sum_scores": edge.Query.RecommendSumScores}
    strategy = value.get("strategy") or "average_vector"
    if strategy not in strategies:
        raise Refused(f"recommend: strategy {strategy} is not supported; best_score and sum_scores are")
    both = [[_vector(shard, item, using) for item in value.get(key) or []] for key in ("positive", "negative")]
    return strategies[strategy](edge.RecommendQuery(*both), using=using)


def _vector(shard: edge.EdgeShard, value: Any, using: str | None) -> Any:
    """A vector, or that of the point whose id is given."""
    if isinstance(value, list | dict):
        return vector_in(value)
    found = shard.retrieve([point_id(value)], False, True)
    vector = found[0].vector if found else None
    if isinstance(vector, dict):
        vector = vector.get(using or "")
    if vector is None:
        raise Refused(f"Not found: No point with id {value} found", 404)
    return vector
