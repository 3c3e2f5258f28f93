"""Grafana's addresses that a deployment check or a person would look at, with Grafana's JSON shapes."""

import hmac
from typing import Annotated, Any

from fastapi import Depends, FastAPI, HTTPException
from fastapi.responses import HTMLResponse, RedirectResponse
from fastapi.security import HTTPBasic, HTTPBasicCredentials
from pydantic import Field, SecretStr

from .. import __version__
from ..health import Health
from ..logs import setup
from ..settings import CommonSettings, Port, load
from ..web import create_app, serve
from . import STAND_IN
from .page import render
from .provisioning import read


class Settings(CommonSettings):
    admin_user: str = Field("admin", validation_alias="GF_SECURITY_ADMIN_USER")
    # Grafana's own default is "admin"; here a password is required.
    admin_password: SecretStr = Field(validation_alias="GF_SECURITY_ADMIN_PASSWORD")
    provisioning: str = Field("/etc/grafana/provisioning", validation_alias="GF_PATHS_PROVISIONING")
    port: Port = Field(3000, validation_alias="GF_SERVER_HTTP_PORT")


def build(settings: Settings) -> FastAPI:
    app = create_app("grafana", Health("grafana", []), docs_url=None, redoc_url=None, openapi_url=None)
    basic = HTTPBasic(realm="Grafana stand-in")

    def login(given: Annotated[HTTPBasicCredentials, Depends(basic)]) -> None:
        user = hmac.compare_digest(given.username.encode(), settings.admin_user.encode())
        password = hmac.compare_digest(given.password.encode(), settings.admin_password.get_secret_value().encode())
        if not (user and password):
            headers = {"WWW-Authenticate": 'Basic realm="Grafana stand-in"'}
            raise HTTPException(401, "Invalid username or password", headers)

    # Read anew at each request: the files are small, and a changed one shows at once.
    @app.api_route("/api/health", methods=["GET", "HEAD"])
    def health() -> dict[str, str]:
        return {"database": "ok", "version": __version__, "commit": "", "stand_in": STAND_IN}

    @app.get("/api/datasources", dependencies=[Depends(login)])
    def datasources() -> list[dict[str, Any]]:
        return [
            {
                "id": number, "uid": source.get("uid", source["name"]), "name": source["name"],
                "type": source.get("type"), "access": source.get("access", "proxy"), "url": source.get("url"),
                "isDefault": bool(source.get("isDefault")), "readOnly": not source.get("editable"),
                "jsonData": source.get("jsonData") or {},
            }
            for number, source in enumerate(read(settings.provisioning).datasources, 1)
        ]  # fmt: skip

    @app.get("/api/search", dependencies=[Depends(login)])
    def search(query: str = "") -> list[dict[str, Any]]:
        return [
            {
                "id": number, "uid": dashboard["uid"], "title": dashboard["title"], "type": "dash-db",
                "url": f"/d/{dashboard['uid']}", "tags": dashboard.get("tags") or [], "folderTitle": folder,
            }
            for number, (folder, dashboard) in enumerate(read(settings.provisioning).dashboards, 1)
            if query.lower() in dashboard["title"].lower()
        ]  # fmt: skip

    @app.get("/api/dashboards/uid/{uid}", dependencies=[Depends(login)])
    def dashboard(uid: str) -> dict[str, Any]:
        found = read(settings.provisioning).dashboard(uid)
        if found is None:
            raise HTTPException(404, "Dashboard not found")
        meta = {"type": "db", "url": f"/d/{uid}", "folderTitle": found[0], "provisioned": True, "canSave": False}
        return {"meta": meta, "dashboard": found[1]}

    @app.get("/", dependencies=[Depends(login)])
    def page() -> HTMLResponse:
        policy = "default-src 'none'; style-src 'unsafe-inline'"
        headers = {"Content-Security-Policy": policy, "Cache-Control": "no-store"}
        return HTMLResponse(render(read(settings.provisioning)), headers=headers)

    @app.get("/login")
    @app.get("/d/{uid}")
    @app.get("/d/{uid}/{slug}")
    def to_page() -> RedirectResponse:
        return RedirectResponse("/")

    return app


def run() -> None:
    settings = load(Settings)
    setup("grafana", settings)
    serve(build(settings), settings, settings.port)
