"""A stand-in for the Qdrant server: Qdrant's own engine (qdrant-edge-py) behind the main REST endpoints."""

from importlib.metadata import version

ENGINE_VERSION = version("qdrant-edge-py")
STAND_IN = (
    "Stands in for the Qdrant server: its storage engine (qdrant-edge-py) behind the main REST endpoints; "
    "no clustering, gRPC health checks only"
)


class Refused(Exception):
    """A request that cannot be done, with the HTTP status that Qdrant gives it."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status
