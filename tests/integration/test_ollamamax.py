"""OllamaMax' listeners with real PostgreSQL, Redis and llama.cpp, and its page in a real browser."""

from __future__ import annotations

import http.client
import json
import random

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait
from services import WORD, Platform, docker, healthy, images, until

from .conftest import is_free

SECRETS = {"JWT_SECRET": WORD * 2, "JWT_REFRESH_SECRET": WORD[::-1] * 2}
NODES = "http://backend:8080,http://ollama:11434"
LISTENERS = ("api", "websocket", "fallback")
USER = {"username": "ann", "password": "long-enough"}
HELLO = {"messages": [{"role": "user", "content": "Hello"}], "max_tokens": 8}


@pytest.fixture(scope="module")
def ports():
    """Free ports by service, and the web interface's."""
    return dict(
        zip((*LISTENERS, "web"), (p for p in random.sample(range(20000, 30000), 200) if is_free(p)), strict=False)
    )


@pytest.fixture(scope="module")
def ollamamax(ports):
    given = {
        **SECRETS,
        "DATABASE_URL": f"postgresql://it:{WORD}@postgres:5432/it",
        "OLLAMA_NODES": NODES,
        "CORS_ORIGINS": f"http://127.0.0.1:{ports['web']}",
        "PUBLIC_ENDPOINTS": json.dumps(
            {
                "api": f"http://127.0.0.1:{ports['api']}",
                "chat": [f"ws://127.0.0.1:{ports[name]}/chat" for name in LISTENERS],
            }
        ),
    }
    with Platform(images("postgres", "redis", "ollamamax_api", "ollama")) as found:
        redis = "exec docker-entrypoint.sh redis-server - <<EOF\nrequirepass $REDIS_PASSWORD\nappendonly yes\nEOF\n"
        found.start("postgres", "POSTGRES_IMAGE")
        found.start("redis", "REDIS_IMAGE", "sh", "-c", redis)
        found.start("ollama", "OLLAMA_IMAGE")
        command = "OLLAMAMAX_API_IMAGE", "optiinfra-ollamamax-"
        backend = {**given, "PORT": "8080", "OLLAMA_NODES": "http://ollama:11434"}
        found.start("backend", command[0], command[1] + "backend", **backend)
        for name, kind, port in zip(LISTENERS, ("api", "websocket", "api"), (13100, 13101, 13102), strict=True):
            publish = {port: ports[name]}
            own = {**given, "PORT": str(port)}
            if name == "api":
                publish[3000], own["WEB_PORT"] = ports["web"], "3000"
            found.start(name, command[0], command[1] + kind, publish=publish, **own)
        healthy(found, "ollama", 11434)
        assert found.call("ollama", 11434, "/api/pull", {"model": "llama3.2:1b", "stream": False})[0] == 200
        for name, port in (("api", 13100), ("websocket", 13101), ("fallback", 13102), ("backend", 8080)):
            healthy(found, name, port)
        assert found.call("api", 13100, "/auth/register", USER)[0] == 201
        yield found


def login(ollamamax, service="api", port=13100):
    status, token = ollamamax.call(service, port, "/auth/login", USER)
    assert status == 200, token
    return token


def bearer(text):
    return {"authorization": f"Bearer {text}"}


def ask(ollamamax, service, port, method, path, body=None, headers=None):
    """Return (status, text)."""
    connection = http.client.HTTPConnection(ollamamax.url(service, port).removeprefix("http://"), timeout=60)
    given = None if body is None else json.dumps(body)
    connection.request(method, path, given, {"content-type": "application/json", **(headers or {})})
    answer = connection.getresponse()
    return answer.status, answer.read().decode()


def lines(*args):
    """Return the lines of a streamed answer."""
    status, text = ask(*args)
    assert status == 200, text
    return [line for line in text.splitlines() if line]


def models(ollamamax, headers):
    """Return what each listener with OpenAI's API answers."""
    places = (("api", 13100, "/v1"), ("fallback", 13102, "/v1"), ("backend", 8080, "/v1"), ("backend", 8080, "/api/v1"))
    return [ollamamax.call(name, port, path + "/models", None, headers)[0] for name, port, path in places]


def test_a_name_is_taken_once_and_a_password_is_needed(ollamamax):
    assert ollamamax.call("fallback", 13102, "/auth/register", USER)[0] == 409
    assert ollamamax.call("api", 13100, "/auth/login", {**USER, "password": "wrong-enough"})[0] == 401
    assert ollamamax.call("api", 13100, "/auth/login", {**USER, "username": "bob"})[0] == 401
    kept = ollamamax.sql("SELECT encode(hash, 'escape') || encode(salt, 'escape') FROM users")
    assert USER["password"] not in kept


def test_a_session_is_good_everywhere_until_it_ends(ollamamax):
    token = login(ollamamax, "fallback", 13102)
    mine = bearer(token["access_token"])
    assert models(ollamamax, mine) == [200] * 4
    assert models(ollamamax, bearer(token["access_token"][:-3] + "abc")) == [401] * 4
    status, renewed = ollamamax.call("api", 13100, "/auth/refresh", {"refresh_token": token["refresh_token"]})
    assert status == 200
    assert ask(ollamamax, "api", 13100, "POST", "/auth/logout", None, bearer(renewed["access_token"]))[0] == 204
    assert models(ollamamax, bearer(renewed["access_token"])) == [401] * 4
    assert models(ollamamax, mine) == [401] * 4


def test_an_api_key_is_good_everywhere_and_makes_no_keys_and_outlives_redis(ollamamax):
    mine = bearer(login(ollamamax)["access_token"])
    status, made = ollamamax.call("api", 13100, "/auth/keys", {"name": "script", "days": 2}, mine)
    assert (status, made["key"].startswith("om-")) == (201, True)
    key = bearer(made["key"])
    assert models(ollamamax, key) == [200] * 4
    assert ollamamax.call("api", 13100, "/auth/keys", {"name": "another"}, key)[0] == 403
    # Nobody gets to see it again, and Redis does not know it.
    status, listed = ollamamax.call("fallback", 13102, "/auth/keys", None, mine)
    assert [{**made, "key": None}] == [{**one, "key": None} for one in listed]
    assert "key" not in listed[0]
    command = "REDISCLI_AUTH=$REDIS_PASSWORD redis-cli --raw hvals ollamamax:keys:ann"
    assert made["key"] not in docker("exec", ollamamax.names["redis"], "sh", "-c", command)
    docker("restart", "--time", "10", ollamamax.names["redis"])
    assert until(lambda: models(ollamamax, key) == [200] * 4)
    for expected in (204, 404):
        assert ask(ollamamax, "api", 13100, "DELETE", f"/auth/keys/{made['id']}", None, mine)[0] == expected
    assert models(ollamamax, key) == [401] * 4


def test_completions_come_whole_and_in_pieces(ollamamax):
    mine = bearer(login(ollamamax)["access_token"])
    for name, port in (("api", 13100), ("fallback", 13102), ("backend", 8080)):
        status, answer = ollamamax.call(name, port, "/v1/chat/completions", HELLO, mine)
        assert (status, answer["model"]) == (200, "llama3.2:1b")
        assert 1 <= answer["usage"]["completion_tokens"] <= 8
        said = lines(ollamamax, name, port, "POST", "/v1/chat/completions", {**HELLO, "stream": True}, mine)
        assert said[-1] == "data: [DONE]"
        assert len(said) > 2
    status, answer = ollamamax.call("api", 13100, "/v1/chat/completions", {**HELLO, "model": "unknown"}, mine)
    assert (status, answer["error"]) == (404, "model 'unknown' not found")


def test_the_backend_has_ollamas_own_api(ollamamax):
    mine = bearer(login(ollamamax)["access_token"])
    assert ollamamax.call("backend", 8080, "/api/tags")[0] == 401
    assert ollamamax.call("backend", 8080, "/api/tags", None, mine)[1]["models"][0]["name"] == "llama3.2:1b"
    asked = {"prompt": "Once", "options": {"num_predict": 6}}
    said = [json.loads(line) for line in lines(ollamamax, "backend", 8080, "POST", "/api/generate", asked, mine)]
    assert [line["done"] for line in said] == [False] * (len(said) - 1) + [True]
    assert said[-1]["eval_count"] >= 1
    status, whole = ollamamax.call("backend", 8080, "/api/chat", {**HELLO, "stream": False}, mine)
    assert (status, whole["done"], whole["message"]["role"]) == (200, True, "assistant")
    bad = {**asked, "stream": False, "options": {"num_predict": "many"}}
    assert ollamamax.call("backend", 8080, "/api/generate", bad, mine)[0] == 400


def test_models_are_kept_and_nobody_is_ready_while_ollama_is_away(ollamamax):
    docker("stop", "--time", "10", ollamamax.names["ollama"])
    for name, port in (("api", 13100), ("websocket", 13101), ("fallback", 13102), ("backend", 8080)):
        assert until(lambda name=name, port=port: ollamamax.get(name, port, "/health/ready")[0] == 503)
        assert ollamamax.get(name, port, "/health/live")[0] == 200
    mine = bearer(login(ollamamax)["access_token"])
    assert ollamamax.call("api", 13100, "/v1/chat/completions", HELLO, mine)[0] == 503
    docker("start", ollamamax.names["ollama"])
    assert until(lambda: ollamamax.call("api", 13100, "/v1/chat/completions", HELLO, mine)[0] == 200)
    assert until(lambda: ollamamax.get("websocket", 13101, "/health/ready")[0] == 200)


def test_without_the_backend_ollama_itself_is_asked(ollamamax):
    mine = bearer(login(ollamamax)["access_token"])
    docker("stop", "--time", "10", ollamamax.names["backend"])
    try:
        assert ollamamax.call("api", 13100, "/v1/chat/completions", HELLO, mine)[0] == 200
        nodes = ollamamax.get("websocket", 13101, "/api/nodes")[1]
        assert [node["state"] for node in nodes] == ["ConnectError", "ok"]
    finally:
        docker("start", ollamamax.names["backend"])
    healthy(ollamamax, "backend", 8080)


class Page:
    """The web interface in a browser."""

    def __init__(self, driver, base):
        self.driver = driver
        driver.get(base)

    def field(self, name):
        return self.driver.find_element(By.NAME, name)

    def press(self, text):
        next(one for one in self.driver.find_elements(By.TAG_NAME, "button") if one.text == text).click()

    def until(self, look):
        return WebDriverWait(self.driver, 40).until(lambda _driver: look())

    def state(self, text):
        self.until(lambda: text in self.driver.find_element(By.ID, "state").text)

    def chat(self):
        """Say something; return once there is an answer to it."""
        before = len(self.driver.find_elements(By.CSS_SELECTOR, "#talk .model"))
        self.until(lambda: self.field("message").is_enabled())
        self.field("message").send_keys("Hello")
        self.press("Send")
        self.until(lambda: len(self.driver.find_elements(By.CSS_SELECTOR, "#talk .model")) > before)


@pytest.fixture
def page(ollamamax, browser, ports):
    found = Page(browser, f"http://127.0.0.1:{ports['web']}/")
    yield found
    for name, port in (("api", 13100), ("websocket", 13101), ("fallback", 13102)):
        docker("start", ollamamax.names[name])
        healthy(ollamamax, name, port)


def test_the_page_goes_from_gateway_to_websocket_server_to_fallback(ollamamax, page, ports):
    page.field("username").send_keys("eve")
    page.field("password").send_keys("long-enough")
    page.press("Log in")
    page.state("name or password is wrong")
    page.press("Register")
    for index, name in enumerate(LISTENERS):
        page.state(f"Connected to ws://127.0.0.1:{ports[name]}/chat")
        page.chat()
        if index == 0:
            assert [entry for entry in page.driver.get_log("browser") if "Content Security" in entry["message"]] == []
        docker("stop", "--time", "5", ollamamax.names[name])
    page.state("No endpoint answers")
    assert not page.field("message").is_enabled()
    # As soon as one is there again, it is used.
    docker("start", ollamamax.names["fallback"])
    page.state(f"Connected to ws://127.0.0.1:{ports['fallback']}/chat")
    page.chat()


def test_a_page_from_elsewhere_may_neither_ask_nor_chat(ollamamax, page, ports):
    page.driver.get(f"http://127.0.0.1:{ports['fallback']}/health")
    asked = """const done = arguments[1];
    fetch(arguments[0] + "/health/live").then((reply) => done("read " + reply.status), () => done("refused"));"""
    assert page.driver.execute_async_script(asked, f"http://127.0.0.1:{ports['api']}") == "refused"
    chatted = """const done = arguments[1], made = new WebSocket(arguments[0]);
    made.onopen = () => done("open"); made.onerror = () => done("refused");"""
    assert page.driver.execute_async_script(chatted, f"ws://127.0.0.1:{ports['api']}/chat") == "refused"


def test_documentation_is_drawn_without_asking_elsewhere(page, ports):
    page.driver.get(f"http://127.0.0.1:{ports['api']}/docs")
    page.until(lambda: len(page.driver.find_elements(By.CSS_SELECTOR, ".opblock")) > 8)
    loaded = page.driver.execute_script("return performance.getEntriesByType('resource').map((one) => one.name)")
    assert all(url.startswith((f"http://127.0.0.1:{ports['api']}/", "data:")) for url in loaded), loaded
