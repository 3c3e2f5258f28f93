"""The portal on 3000: it talks to orchestrator and collector by their names; browsers talk only to it."""

import hmac
from html import escape
from urllib.parse import parse_qs

import httpx
from fastapi import Request
from fastapi.responses import HTMLResponse, RedirectResponse
from pydantic import Field, SecretStr

from .. import dependencies
from ..health import Health, reason
from ..logs import setup
from ..settings import CommonSettings, HttpUrl, Port, load
from ..web import create_app, serve
from . import session

COOKIE = "optiinfra_session"
STYLE = """
:root { color-scheme: light dark; font-family: system-ui, sans-serif; }
body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; margin-bottom: 2rem; }
th, td { text-align: left; padding: .4rem .8rem; border-bottom: 1px solid color-mix(in srgb, CanvasText 20%, Canvas); }
.healthy { color: #1a7f37; } .unhealthy { color: #cf222e; } label { display: block; margin: .8rem 0; }
"""


class Settings(CommonSettings):
    port: Port = Field(3000, validation_alias="PORTAL_PORT")
    orchestrator_url: HttpUrl = Field("http://orchestrator:8080", validation_alias="ORCHESTRATOR_URL")
    collector_url: HttpUrl = Field("http://data-collector:8005", validation_alias="DATA_COLLECTOR_URL")
    auth_secret: SecretStr = Field(min_length=16, validation_alias="AUTH_SECRET")
    user: str = Field("admin", validation_alias="PORTAL_USER")
    password: SecretStr = Field(min_length=8, validation_alias="PORTAL_PASSWORD")


def _page(title: str, body: str, status: int = 200) -> HTMLResponse:
    text = (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{STYLE}</style></head><body>'
        f"<h1>{escape(title)}</h1>{body}</body></html>"
    )
    policy = (
        "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
    return HTMLResponse(text, status, headers={"content-security-policy": policy, "cache-control": "no-store"})


def _login(problem: str = "") -> HTMLResponse:
    note = f'<p class="unhealthy" role="alert">{escape(problem)}</p>' if problem else ""
    form = (
        '<form method="post" action="/login"><label>User <input name="user" autocomplete="username" required></label>'
        '<label>Password <input name="password" type="password" autocomplete="current-password" required></label>'
        "<button>Log in</button></form>"
    )
    return _page("OptiInfra", note + form, 401 if problem else 200)


def _table(headings: list[str], rows: list[list[str]]) -> str:
    head = "".join(f"<th>{escape(text)}</th>" for text in headings)
    body = "".join("<tr>" + "".join(f"<td>{escape(str(cell))}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def build(settings: Settings):
    checks = [
        dependencies.http("orchestrator", f"{settings.orchestrator_url}/health"),
        dependencies.http("data-collector", f"{settings.collector_url}/health"),
    ]
    app = create_app(
        "portal", Health("portal", checks), ("/api/health",), docs_url=None, redoc_url=None, openapi_url=None
    )
    secret = settings.auth_secret.get_secret_value()

    @app.get("/login", response_model=None)
    def login_form() -> HTMLResponse:
        return _login()

    @app.post("/login", response_model=None)
    async def login(request: Request) -> HTMLResponse | RedirectResponse:
        fields = parse_qs((await request.body())[:4096].decode(errors="replace"))
        user, password = (fields.get(name, [""])[0] for name in ("user", "password"))
        good_user = hmac.compare_digest(user.encode(), settings.user.encode())
        if not (hmac.compare_digest(password.encode(), settings.password.get_secret_value().encode()) and good_user):
            return _login("User or password is wrong")
        answer = RedirectResponse("/", 303)
        answer.set_cookie(
            COOKIE, session.issue(secret, user), httponly=True, samesite="strict", max_age=session.LIFETIME
        )
        return answer

    @app.get("/", response_model=None)
    def home(request: Request) -> HTMLResponse | RedirectResponse:
        user = session.read(secret, request.cookies.get(COOKIE, ""))
        if not user:
            return RedirectResponse("/login", 303)
        services, agents = _look(settings)
        return _page(
            "OptiInfra",
            "<h2>Services</h2>"
            + _table(["Service", "State", "Depends on"], services)
            + "<h2>Agents</h2>"
            + _table(["Agent", "Type", "Address"], agents),
        )

    return app


def _look(settings: Settings) -> tuple[list[list[str]], list[list[str]]]:
    services, agents = [], []
    for name, url in (("orchestrator", settings.orchestrator_url), ("data-collector", settings.collector_url)):
        try:
            report = httpx.get(f"{url}/health", timeout=3).json()
            parts = ", ".join(f"{key}: {value}" for key, value in report["dependencies"].items())
            services.append([name, report["status"], parts])
        except (httpx.HTTPError, ValueError, KeyError) as error:
            services.append([name, "away", reason(error)])
    try:
        for agent in httpx.get(f"{settings.orchestrator_url}/agents", timeout=3).json():
            agents.append([agent["id"], agent["type"], f"{agent['host']}:{agent['port']}"])
    except (httpx.HTTPError, ValueError, KeyError, TypeError):
        agents = []
    return services, agents


def run() -> None:
    settings = load(Settings)
    setup("portal", settings)
    serve(build(settings), settings, settings.port)
