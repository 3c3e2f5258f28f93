"""Collections on disk: one folder each with the engine's shard and the configuration as it was asked for."""

import fcntl
import json
import logging
import os
import re
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import qdrant_edge as edge

from . import Refused
from .convert import collection_config

log = logging.getLogger(__name__)
_NAME = re.compile(r"[^\x00-\x1f<>:\"/\\|?*]{1,255}")


class Collection:
    def __init__(self, folder: Path) -> None:
        self.config = json.loads((folder / "collection.json").read_text(encoding="utf-8"))
        self._shard = edge.EdgeShard.load(str(folder / "shard"))
        self._lock = threading.Lock()

    @contextmanager
    def shard(self) -> Iterator[edge.EdgeShard]:
        """The engine for one request at a time; what it objects to is the caller's mistake."""
        with self._lock:
            if self._shard is None:
                raise Refused("Not found: the collection was deleted meanwhile", 404)
            try:
                yield self._shard
            except (Refused, OSError):
                raise
            except Exception as error:
                internal = str(error).startswith("Service")
                raise Refused(str(error) if internal else f"Wrong input: {error}", 500 if internal else 400) from None

    def update(self, operation: edge.UpdateOperation) -> None:
        with self.shard() as shard:
            shard.update(operation)
            # On disk before the caller hears so.
            shard.flush()

    def close(self) -> None:
        with self._lock:
            shard, self._shard = self._shard, None
            if shard is not None:
                shard.flush()
                shard.close()


class Store:
    def __init__(self, root: str) -> None:
        self._root = Path(root)
        self._collections: dict[str, Collection] = {}
        self._failed: dict[str, str] = {}
        self._lock = threading.RLock()
        self._guard: Any = None

    def open(self) -> None:
        folder = self._root / "collections"
        folder.mkdir(parents=True, exist_ok=True)
        self._guard = open(self._root / ".lock", "w", encoding="utf-8")  # noqa: SIM115 - held until the end
        try:
            fcntl.flock(self._guard, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise RuntimeError(f"{self._root} is in use by another process") from None
        # Left by a create or delete that was cut short.
        for leftover in self._root.glob(".tmp-*"):
            shutil.rmtree(leftover, ignore_errors=True)
        for path in sorted(folder.iterdir()):
            try:
                self._collections[path.name] = Collection(path)
            except Exception as error:
                self._failed[path.name] = " ".join(str(error).split())
                log.error("collection %s cannot be loaded: %s", path.name, self._failed[path.name])
        log.info("%s collections loaded", len(self._collections))

    def close(self) -> None:
        with self._lock:
            for collection in self._collections.values():
                collection.close()
            self._collections.clear()
            if self._guard:
                self._guard.close()

    def problem(self) -> str | None:
        """Why the store is not ready, or None."""
        if self._guard is None:
            return "starting"
        if not os.access(self._root, os.W_OK):
            return f"{self._root} cannot be written"
        return "; ".join(f"collection {name} cannot be loaded: {why}" for name, why in self._failed.items()) or None

    def names(self) -> list[str]:
        return sorted([*self._collections, *self._failed])

    def get(self, name: str) -> Collection:
        if name in self._failed:
            raise Refused(f"Service internal error: collection `{name}` cannot be loaded: {self._failed[name]}", 500)
        try:
            return self._collections[name]
        except KeyError:
            raise Refused(f"Not found: Collection `{name}` doesn't exist!", 404) from None

    def create(self, name: str, body: dict[str, Any]) -> None:
        if not _NAME.fullmatch(name) or name in (".", ".."):
            raise Refused(f"Validation error in path: {name!r} is not a name for a collection", 422)
        with self._lock:
            if name in self._collections or name in self._failed:
                raise Refused(f"Wrong input: Collection `{name}` already exists!", 409)
            # Appears under its name only when complete.
            work = self._root / f".tmp-create-{os.getpid()}"
            shutil.rmtree(work, ignore_errors=True)
            try:
                (work / "shard").mkdir(parents=True)
                shard = edge.EdgeShard.create(str(work / "shard"), collection_config(body))
                shard.flush()
                shard.close()
                with open(work / "collection.json", "w", encoding="utf-8") as file:
                    json.dump(body, file)
                    file.flush()
                    os.fsync(file.fileno())
                os.rename(work, self._root / "collections" / name)
                _sync(self._root / "collections")
            finally:
                shutil.rmtree(work, ignore_errors=True)
            self._collections[name] = Collection(self._root / "collections" / name)

    def delete(self, name: str) -> bool:
        with self._lock:
            collection = self._collections.pop(name, None)
            if collection is None and self._failed.pop(name, None) is None:
                return False
            if collection is not None:
                collection.close()
            gone = self._root / f".tmp-delete-{os.getpid()}"
            shutil.rmtree(gone, ignore_errors=True)
            os.rename(self._root / "collections" / name, gone)
            _sync(self._root / "collections")
            shutil.rmtree(gone, ignore_errors=True)
            return True


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
