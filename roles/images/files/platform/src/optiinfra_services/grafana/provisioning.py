"""What Grafana's provisioning files say: data sources, dashboard providers, dashboards."""

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml


@dataclass
class Provisioned:
    datasources: list[dict[str, Any]] = field(default_factory=list)
    # Each with its folder's title.
    dashboards: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def dashboard(self, uid: str) -> tuple[str, dict[str, Any]] | None:
        return next((item for item in self.dashboards if item[1].get("uid") == uid), None)

    def datasource(self, reference: Any) -> dict[str, Any] | None:
        """By uid, by name, or else the default one."""
        wanted = reference.get("uid") if isinstance(reference, dict) else reference
        for source in self.datasources:
            if wanted in (source.get("uid"), source.get("name")):
                return source
        if wanted:
            return None
        return next((source for source in self.datasources if source.get("isDefault")), None)


def read(folder: str) -> Provisioned:
    found = Provisioned()
    for path, content in _yaml_files(Path(folder) / "datasources", found):
        for source in content.get("datasources") or []:
            if isinstance(source, dict) and source.get("name"):
                found.datasources.append(source)
            else:
                found.problems.append(f"{path}: a data source without a name")
    for path, content in _yaml_files(Path(folder) / "dashboards", found):
        for provider in content.get("providers") or []:
            where = (provider.get("options") or {}).get("path") if isinstance(provider, dict) else None
            if not where:
                found.problems.append(f"{path}: a provider without options.path")
                continue
            _dashboards(Path(where), str(provider.get("folder") or "General"), found)
    return found


def _yaml_files(folder: Path, found: Provisioned) -> list[tuple[Path, dict[str, Any]]]:
    files = []
    for path in sorted([*folder.glob("*.yml"), *folder.glob("*.yaml")]):
        try:
            content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
            if not isinstance(content, dict):
                raise ValueError("not a mapping")
            files.append((path, content))
        except (OSError, ValueError, yaml.YAMLError) as error:
            found.problems.append(f"{path}: {' '.join(str(error).split())}")
    return files


def _dashboards(folder: Path, title: str, found: Provisioned) -> None:
    if not folder.is_dir():
        found.problems.append(f"{folder}: no such folder")
    for path in sorted(folder.rglob("*.json")):
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            if not isinstance(content, dict) or not content.get("title"):
                raise ValueError("not a dashboard with a title")
        except (OSError, ValueError) as error:
            found.problems.append(f"{path}: {error}")
            continue
        content.setdefault("uid", re.sub(r"[^a-z0-9]+", "-", content["title"].lower()).strip("-"))
        found.dashboards.append((title, content))


def panels(dashboard: dict[str, Any]) -> list[dict[str, Any]]:
    """All panels, those inside rows too."""
    out = []
    for panel in dashboard.get("panels") or []:
        out.extend(panels(panel) if panel.get("panels") else [panel])
    return out
