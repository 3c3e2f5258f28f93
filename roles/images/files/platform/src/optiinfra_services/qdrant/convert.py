"""Between Qdrant's JSON and the engine's types. What this stand-in does not know it refuses, by name."""

from typing import Any
from uuid import UUID

import qdrant_edge as edge

from . import Refused

# Tuning that changes no answer: accepted, so that clients' usual calls work, and not acted upon.
TUNING = {
    "hnsw_config", "optimizers_config", "wal_config", "quantization_config", "shard_number", "replication_factor",
    "write_consistency_factor", "on_disk_payload", "on_disk", "strict_mode_config", "metadata",
}  # fmt: skip
MATCHES = {
    "value": edge.MatchValue, "text": edge.MatchText, "text_any": edge.MatchTextAny, "phrase": edge.MatchPhrase,
    "any": edge.MatchAny, "except": edge.MatchExcept,
}  # fmt: skip


def known(value: Any, what: str, *keys: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Refused(f"Format error in JSON body: {what} must be an object")
    unknown = sorted(set(value) - set(keys))
    if unknown:
        raise Refused(f"{what}: {unknown[0]} is not supported by this stand-in")
    return value


def need(value: dict[str, Any], what: str, key: str) -> Any:
    if value.get(key) is None:
        raise Refused(f"Format error in JSON body: {what}: missing field `{key}`")
    return value[key]


def a_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def integer(value: Any, what: str, least: int = 0) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise Refused(f"Validation error in JSON body: {what} must be an integer of {least} or more", 422)
    return value


def point_id(value: Any) -> int | UUID:
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**64:
        return value
    if isinstance(value, str):
        try:
            return UUID(value)
        except ValueError:
            pass
    raise Refused(f"value {value} is not a valid point ID, valid values are either an unsigned integer or a UUID")


def collection_config(body: dict[str, Any]) -> edge.EdgeConfig:
    known(body, "collection", "vectors", "sparse_vectors", *TUNING)
    vectors = body.get("vectors") or {}
    if "size" in vectors:
        vectors = {"": vectors}
    sparse = body.get("sparse_vectors") or {}
    return edge.EdgeConfig(
        vectors={name: _vector_params(name, value) for name, value in vectors.items()},
        sparse_vectors={name: _sparse_params(name, value) for name, value in sparse.items()},
    )


def _vector_params(name: str, value: Any) -> edge.EdgeVectorParams:
    what = f"vectors.{name}" if name else "vectors"
    known(value, what, "size", "distance", "multivector_config", "datatype", *TUNING)
    multi = None
    if value.get("multivector_config"):
        known(value["multivector_config"], f"{what}.multivector_config", "comparator")
        multi = edge.MultiVectorConfig(edge.MultiVectorComparator.MaxSim)
    return edge.EdgeVectorParams(
        size=integer(need(value, what, "size"), f"{what}.size", 1),
        distance=_one_of(edge.Distance, need(value, what, "distance"), f"{what}.distance"),
        multivector_config=multi,
        datatype=_one_of(edge.VectorStorageDatatype, (value.get("datatype") or "float32").title(), f"{what}.datatype"),
    )


def _sparse_params(name: str, value: Any) -> edge.EdgeSparseVectorParams:
    known(value or {}, f"sparse_vectors.{name}", "modifier", "index")
    idf = (value or {}).get("modifier") == "idf"
    return edge.EdgeSparseVectorParams(modifier=edge.Modifier.Idf if idf else None)


def _one_of(kind: Any, value: Any, what: str) -> Any:
    if not isinstance(value, str) or not value[:1].isupper() or not hasattr(kind, value):
        raise Refused(f"Format error in JSON body: {what}: unknown variant `{value}`")
    return getattr(kind, value)


def vector_in(value: Any) -> Any:
    """A dense, multi or sparse vector."""
    if isinstance(value, dict) and set(value) == {"indices", "values"}:
        return edge.SparseVector(value["indices"], value["values"])
    if isinstance(value, list) and value:
        return value
    raise Refused("Format error in JSON body: a vector must be a list of numbers or {indices, values}")


def point_in(value: Any) -> edge.Point:
    known(value, "point", "id", "vector", "payload")
    vector = need(value, "point", "vector")
    if isinstance(vector, dict) and set(vector) != {"indices", "values"}:
        vector = {name: vector_in(item) for name, item in vector.items()}
    else:
        vector = vector_in(vector)
    return edge.Point(point_id(need(value, "point", "id")), vector, value.get("payload") or {})


def points_in(body: dict[str, Any]) -> list[edge.Point]:
    if "batch" in body:
        known(body, "body", "batch", "shard_key")
        batch = known(body["batch"], "batch", "ids", "vectors", "payloads")
        ids, vectors = need(batch, "batch", "ids"), need(batch, "batch", "vectors")
        if isinstance(vectors, dict):
            vectors = [dict(zip(vectors, row, strict=True)) for row in zip(*vectors.values(), strict=True)]
        payloads = batch.get("payloads") or [None] * len(ids)
        if not len(ids) == len(vectors) == len(payloads):
            raise Refused("Validation error in JSON body: batch: ids, vectors and payloads differ in length", 422)
        rows = zip(ids, vectors, payloads, strict=True)
        return [point_in({"id": i, "vector": v, "payload": p}) for i, v, p in rows]
    known(body, "body", "points", "shard_key")
    return [point_in(item) for item in a_list(need(body, "body", "points"))]


def selector_in(body: dict[str, Any], *more: str) -> tuple[list[Any] | None, edge.Filter | None]:
    """Points by id, or by filter."""
    known(body, "body", "points", "filter", "shard_key", *more)
    if body.get("points") is not None:
        return [point_id(item) for item in a_list(body["points"])], None
    return None, filter_in(need(body, "body", "filter"))


def filter_in(value: Any) -> edge.Filter | None:
    if value is None:
        return None
    known(value, "filter", "must", "should", "must_not", "min_should")
    lists = {
        key: [condition_in(item) for item in a_list(value[key])]
        for key in ("must", "should", "must_not")
        if value.get(key) is not None
    }
    if value.get("min_should"):
        least = known(value["min_should"], "min_should", "conditions", "min_count")
        lists["min_should"] = edge.MinShould([condition_in(c) for c in least["conditions"]], least["min_count"])
    return edge.Filter(**lists)


def condition_in(value: Any) -> Any:
    if not isinstance(value, dict):
        raise Refused("Format error in JSON body: a condition must be an object")
    if set(value) & {"must", "should", "must_not", "min_should"}:
        return filter_in(value)
    if "has_id" in value:
        return edge.HasIdCondition({point_id(item) for item in a_list(value["has_id"])})
    if "has_vector" in value:
        return edge.HasVectorCondition(value["has_vector"])
    if isinstance(value.get("is_empty"), dict):
        return edge.IsEmptyCondition(value["is_empty"]["key"])
    if isinstance(value.get("is_null"), dict):
        return edge.IsNullCondition(value["is_null"]["key"])
    if "nested" in value:
        return edge.NestedCondition(value["nested"]["key"], filter_in(value["nested"]["filter"]))
    kinds = ("match", "range", "geo_bounding_box", "geo_radius", "values_count", "is_empty", "is_null")
    known(value, "condition", "key", *kinds)
    return edge.FieldCondition(
        need(value, "condition", "key"),
        match=_match_in(value["match"]) if "match" in value else None,
        range=_range_in(value["range"]) if "range" in value else None,
        geo_bounding_box=_box_in(value["geo_bounding_box"]) if "geo_bounding_box" in value else None,
        geo_radius=_radius_in(value["geo_radius"]) if "geo_radius" in value else None,
        values_count=edge.ValuesCount(**value["values_count"]) if "values_count" in value else None,
        is_empty=value.get("is_empty"),
        is_null=value.get("is_null"),
    )


def _match_in(value: Any) -> Any:
    known(value, "match", *MATCHES)
    if len(value) != 1:
        raise Refused("Format error in JSON body: match must have one of " + ", ".join(MATCHES))
    ((kind, wanted),) = value.items()
    return MATCHES[kind](wanted)


def _range_in(value: Any) -> Any:
    known(value, "range", "lt", "gt", "lte", "gte")
    dates = any(isinstance(item, str) for item in value.values())
    return (edge.RangeDateTime if dates else edge.RangeFloat)(**value)


def _box_in(value: Any) -> edge.GeoBoundingBox:
    return edge.GeoBoundingBox(edge.GeoPoint(**value["top_left"]), edge.GeoPoint(**value["bottom_right"]))


def _radius_in(value: Any) -> edge.GeoRadius:
    return edge.GeoRadius(edge.GeoPoint(**value["center"]), value["radius"])


def with_payload_in(value: Any) -> Any:
    if isinstance(value, dict):
        known(value, "with_payload", "include", "exclude")
        kind, keys = next(iter(value.items()), ("include", []))
        return getattr(edge.PayloadSelector, kind.title())(keys)
    return False if value is None else value


def params_in(value: Any) -> edge.SearchParams | None:
    if value is None:
        return None
    known(value, "params", "hnsw_ef", "exact", "indexed_only", "quantization")
    return edge.SearchParams(hnsw_ef=value.get("hnsw_ef"), exact=bool(value.get("exact")))


def order_in(value: Any) -> edge.OrderBy | None:
    if value is None:
        return None
    if isinstance(value, str):
        return edge.OrderBy(value)
    known(value, "order_by", "key", "direction", "start_from")
    direction = edge.Direction.Desc if value.get("direction") == "desc" else edge.Direction.Asc
    return edge.OrderBy(need(value, "order_by", "key"), direction, value.get("start_from"))


def vector_out(value: Any) -> Any:
    if isinstance(value, edge.SparseVector):
        return {"indices": list(value.indices), "values": list(value.values)}
    if isinstance(value, dict):
        # The engine's name of the only, unnamed vector is "".
        named = {name: vector_out(item) for name, item in value.items()}
        return named[""] if set(named) == {""} else named
    return value


def id_out(value: Any) -> Any:
    return str(value) if isinstance(value, UUID) else value


def point_out(point: Any, payload: Any, vector: Any) -> dict[str, Any]:
    out: dict[str, Any] = {"id": id_out(point.id)}
    if isinstance(point, edge.ScoredPoint):
        out.update(version=point.version, score=point.score)
    if payload:
        out["payload"] = point.payload or {}
    if vector:
        out["vector"] = vector_out(point.vector)
    if point.order_value is not None:
        out["order_value"] = point.order_value
    return out
