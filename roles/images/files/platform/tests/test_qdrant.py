"""The Qdrant stand-in, by its REST interface and with the real engine."""

import pytest

pytest.importorskip("qdrant_edge")
from fastapi.testclient import TestClient
from optiinfra_services.qdrant.api import build
from optiinfra_services.qdrant.store import Store

KEY = {"api-key": "k-1234"}
UUID = "550e8400-e29b-41d4-a716-446655440000"
POINTS = {
    "points": [
        {"id": 1, "vector": [1, 0, 0, 0], "payload": {"city": "Rome", "n": 1}},
        {"id": 2, "vector": [0, 1, 0, 0], "payload": {"city": "Oslo", "n": 2}},
        {"id": UUID, "vector": [0.9, 0.1, 0, 0], "payload": {"city": "Rome", "n": 3}},
    ]
}


def start(path):
    return TestClient(build(Store(str(path)), "k-1234"), headers=KEY, raise_server_exceptions=False)


@pytest.fixture
def api(tmp_path):
    with start(tmp_path) as client:
        yield client


@pytest.fixture
def filled(api):
    assert api.put("/collections/c", json={"vectors": {"size": 4, "distance": "Cosine"}}).json()["result"] is True
    answer = api.put("/collections/c/points?wait=true", json=POINTS)
    assert answer.json()["result"]["status"] == "completed"
    return api


def post(api, path, body, status=200):
    answer = api.post(f"/collections/c/points{path}", json=body)
    assert answer.status_code == status, answer.text
    return answer.json()


@pytest.mark.parametrize("path", ["/", "/healthz", "/readyz", "/livez", "/health"])
def test_open_without_key(api, path):
    assert api.get(path, headers={"api-key": ""}).status_code == 200


@pytest.mark.parametrize("headers", [{"api-key": ""}, {"api-key": "no"}, {"api-key": "", "authorization": "Bearer no"}])
@pytest.mark.parametrize("path", ["/collections", "/metrics", "/collections/c", "/nothing"])
def test_key_needed(api, path, headers):
    assert api.get(path, headers=headers).status_code == 401


def test_bearer_token_is_a_key(api):
    assert api.get("/collections", headers={"api-key": "", "authorization": "Bearer k-1234"}).status_code == 200


def test_collections(filled):
    assert filled.get("/collections").json()["result"] == {"collections": [{"name": "c"}]}
    info = filled.get("/collections/c").json()["result"]
    assert (info["status"], info["points_count"]) == ("green", 3)
    assert info["config"]["params"]["vectors"]["size"] == 4
    assert filled.put("/collections/c", json={"vectors": {"size": 4, "distance": "Dot"}}).status_code == 409
    assert filled.get("/collections/c/exists").json()["result"] == {"exists": True}
    assert filled.delete("/collections/c").json()["result"] is True
    assert filled.delete("/collections/c").json()["result"] is False
    answer = filled.get("/collections/c")
    assert answer.status_code == 404
    assert answer.json()["status"]["error"] == "Not found: Collection `c` doesn't exist!"


@pytest.mark.parametrize("name", ["..", "a%2Fb", "a%00b", "x" * 256])
def test_names_stay_inside_the_folder(api, name):
    answer = api.put(f"/collections/{name}", json={"vectors": {"size": 4, "distance": "Dot"}})
    assert answer.status_code in (404, 405, 422)


def test_search_and_query(filled):
    hits = post(filled, "/search", {"vector": [1, 0, 0, 0], "limit": 2, "with_payload": True})["result"]
    assert [hit["id"] for hit in hits] == [1, UUID]
    assert hits[0]["score"] == pytest.approx(1)
    assert hits[0]["payload"] == {"city": "Rome", "n": 1}
    assert "vector" not in hits[0]
    found = post(filled, "/query", {"query": [0, 1, 0, 0], "limit": 1})["result"]["points"]
    assert [hit["id"] for hit in found] == [2]
    assert post(filled, "/query", {"query": 1, "limit": 1})["result"]["points"][0]["id"] == 1
    assert len(post(filled, "/query", {})["result"]["points"]) == 3


@pytest.mark.parametrize(
    ("wanted", "count"),
    [
        ({"must": [{"key": "city", "match": {"value": "Rome"}}]}, 2),
        ({"must_not": {"key": "city", "match": {"value": "Rome"}}}, 1),
        ({"must": [{"key": "n", "range": {"gte": 2}}]}, 2),
        ({"should": [{"has_id": [1]}, {"key": "city", "match": {"any": ["Oslo"]}}]}, 2),
        ({"must": [{"is_empty": {"key": "absent"}}]}, 3),
    ],
)
def test_filters(filled, wanted, count):
    assert post(filled, "/count", {"filter": wanted})["result"] == {"count": count}


def test_scroll_retrieve_delete(filled):
    page = post(filled, "/scroll", {"limit": 2})["result"]
    rest = post(filled, "/scroll", {"limit": 2, "offset": page["next_page_offset"]})["result"]
    assert len(page["points"]) == 2
    assert len(rest["points"]) == 1
    assert rest["next_page_offset"] is None
    assert post(filled, "", {"ids": [2], "with_vector": True})["result"] == [
        {"id": 2, "payload": {"city": "Oslo", "n": 2}, "vector": [0, 1, 0, 0]}
    ]
    post(filled, "/delete", {"points": [2]})
    post(filled, "/delete", {"filter": {"must": [{"key": "n", "range": {"lt": 2}}]}})
    assert post(filled, "/count", {})["result"] == {"count": 1}
    assert filled.get(f"/collections/c/points/{UUID}").json()["result"]["payload"]["n"] == 3
    assert filled.get("/collections/c/points/1").status_code == 404


@pytest.mark.parametrize(
    ("path", "body", "text"),
    [
        ("/search", {"vector": [1, 2], "limit": 1}, "Vector dimension error"),
        ("/search", {"limit": 1}, "missing field `vector`"),
        ("/search", {"vector": ["a"], "limit": 1}, "Wrong input"),
        ("/query", {"query": {"discover": {}}}, "discover is not supported by this stand-in"),
        ("/count", {"filter": {"must": [{"key": "a", "match": {"regex": "x"}}]}}, "regex is not supported"),
        ("", {"ids": ["no"]}, "not a valid point ID"),
    ],
)
def test_mistakes_are_named(filled, path, body, text):
    assert text in post(filled, path, body, 400)["status"]["error"]


def test_named_sparse_and_fusion(api):
    config = {"vectors": {"a": {"size": 2, "distance": "Dot"}}, "sparse_vectors": {"s": {}}}
    assert api.put("/collections/c", json=config).status_code == 200
    sparse = {"indices": [3], "values": [0.5]}
    vectors = {"a": [[1, 0], [0, 1]], "s": [sparse, sparse]}
    body = {"batch": {"ids": [1, 2], "vectors": vectors, "payloads": [{}, {"x": 1}]}}
    assert api.put("/collections/c/points", json=body).status_code == 200
    assert post(api, "", {"ids": [1], "with_vector": True})["result"][0]["vector"] == {"a": [1, 0], "s": sparse}
    prefetch = [{"query": [1, 0], "using": "a"}, {"query": sparse, "using": "s"}]
    fusion = {"prefetch": prefetch, "query": {"fusion": "rrf"}}
    assert {hit["id"] for hit in post(api, "/query", fusion)["result"]["points"]} == {1, 2}
    hits = post(api, "/search", {"vector": {"name": "a", "vector": [0, 1]}, "limit": 1})["result"]
    assert hits[0]["id"] == 2


def test_survives_a_restart(tmp_path):
    with start(tmp_path) as api:
        api.put("/collections/c", json={"vectors": {"size": 4, "distance": "Cosine"}})
        api.put("/collections/c/points", json=POINTS)
    (tmp_path / ".tmp-create-7").mkdir()
    with start(tmp_path) as api:
        assert post(api, "/count", {})["result"] == {"count": 3}
    assert not (tmp_path / ".tmp-create-7").exists()


def test_broken_collection_is_reported_not_fatal(tmp_path):
    (tmp_path / "collections" / "bad").mkdir(parents=True)
    with start(tmp_path) as api:
        answer = api.get("/readyz")
        assert answer.status_code == 503
        assert "collection bad cannot be loaded" in answer.text
        assert api.get("/livez").status_code == 200
        assert api.get("/collections/bad").status_code == 500
        assert api.delete("/collections/bad").json()["result"] is True
        assert api.get("/readyz").status_code == 200


def test_grpc_health(tmp_path):
    grpc = pytest.importorskip("grpc")
    from optiinfra_services.qdrant import health_grpc

    problem = [None]
    server = health_grpc.start("unix:" + str(tmp_path / "s"), lambda: problem[0])
    try:
        with grpc.insecure_channel("unix:" + str(tmp_path / "s")) as channel:
            check = channel.unary_unary("/grpc.health.v1.Health/Check")
            assert check(b"") == b"\x08\x01"
            problem[0] = "disk"
            assert check(b"") == b"\x08\x02"
            with pytest.raises(grpc.RpcError) as error:
                channel.unary_unary("/qdrant.Points/Search")(b"")
            assert error.value.code() is grpc.StatusCode.UNIMPLEMENTED
    finally:
        server.stop(0)
