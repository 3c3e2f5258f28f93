"""The Grafana stand-in, over provisioning files as the stack mounts them."""

import json

import httpx
import pytest

pytest.importorskip("yaml")
from fastapi.testclient import TestClient
from optiinfra_services.grafana import api, page

LOGIN = ("admin", "pass-word")
PRIVATE = ["/", "/api/datasources", "/api/search", "/api/dashboards/uid/d1"]


@pytest.fixture
def files(tmp_path):
    for folder in ("provisioning/datasources", "provisioning/dashboards", "boards"):
        (tmp_path / folder).mkdir(parents=True)
    source = {"name": "Prometheus", "uid": "p", "type": "prometheus", "url": "http://prometheus:9090"}
    source["isDefault"] = True
    (tmp_path / "provisioning/datasources/a.yml").write_text(json.dumps({"datasources": [source]}))
    provider = {"folder": "Ours", "options": {"path": str(tmp_path / "boards")}}
    (tmp_path / "provisioning/dashboards/a.yml").write_text(json.dumps({"providers": [provider]}))
    inner = {"title": "Up <now>", "datasource": {"uid": "p"}, "targets": [{"expr": "up < 1"}]}
    row = {"type": "row", "panels": [inner]}
    (tmp_path / "boards/a.json").write_text(json.dumps({"uid": "d1", "title": "Board", "panels": [row]}))
    return tmp_path


@pytest.fixture
def client(files):
    settings = api.Settings(admin_password="pass-word", provisioning=str(files / "provisioning"))  # noqa: S106
    return TestClient(api.build(settings))


def test_health_is_open_and_says_what_it_is(client):
    answer = client.get("/api/health").json()
    assert answer["database"] == "ok"
    assert "Stands in for Grafana" in answer["stand_in"]
    assert client.get("/metrics").status_code == 200


@pytest.mark.parametrize("path", PRIVATE)
@pytest.mark.parametrize("login", [None, ("admin", "no"), ("root", "pass-word"), ("ädmin", "ß")])
def test_login_needed(client, path, login):
    assert client.get(path, auth=login).status_code == 401


def test_lists_what_is_provisioned(client):
    (source,) = client.get("/api/datasources", auth=LOGIN).json()
    assert (source["uid"], source["url"], source["isDefault"]) == ("p", "http://prometheus:9090", True)
    (board,) = client.get("/api/search", auth=LOGIN).json()
    assert (board["uid"], board["folderTitle"]) == ("d1", "Ours")
    assert client.get("/api/search?query=other", auth=LOGIN).json() == []
    assert client.get("/api/dashboards/uid/d1", auth=LOGIN).json()["dashboard"]["title"] == "Board"
    assert client.get("/api/dashboards/uid/no", auth=LOGIN).status_code == 404


def test_page_shows_values(client, monkeypatch):
    asked = []

    def post(url, data, timeout):
        asked.append((url, data["query"]))
        result = [{"metric": {"__name__": "up", "job": "<b>"}, "value": [0, "0"]}]
        return httpx.Response(200, json={"status": "success", "data": {"resultType": "vector", "result": result}})

    monkeypatch.setattr(page.httpx, "post", post)
    text = client.get("/", auth=LOGIN).text
    assert asked == [("http://prometheus:9090/api/v1/query", "up < 1")]
    assert "This is not Grafana." in text
    assert "up{job=&lt;b&gt;}<td>0" in text
    assert "<b>" not in text


def test_page_without_prometheus_says_so(client, monkeypatch):
    def post(url, data, timeout):
        raise httpx.ConnectError("Connection refused")

    monkeypatch.setattr(page.httpx, "post", post)
    answer = client.get("/", auth=LOGIN)
    assert answer.status_code == 200
    assert "Connection refused" in answer.text


def test_broken_files_are_named(client, files):
    (files / "boards/bad.json").write_text("{")
    (files / "provisioning/datasources/bad.yml").write_text("a: [")
    text = client.get("/", auth=LOGIN).text
    assert "bad.json" in text
    assert "bad.yml" in text
    assert len(client.get("/api/search", auth=LOGIN).json()) == 1
