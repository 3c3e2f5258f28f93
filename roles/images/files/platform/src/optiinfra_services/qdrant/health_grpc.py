"""Port 6334: the health checks of Qdrant's gRPC interface. Every other call answers UNIMPLEMENTED."""

from collections.abc import Callable
from concurrent import futures

import grpc

from . import ENGINE_VERSION

# grpc.health.v1.HealthCheckResponse {status = 1}: SERVING is 1, NOT_SERVING is 2.
SERVING, NOT_SERVING = b"\x08\x01", b"\x08\x02"


def _text(field: int, value: str) -> bytes:
    data = value.encode()[:127]
    return bytes([field << 3 | 2, len(data)]) + data


def start(address: str, problem: Callable[[], str | None]) -> grpc.Server:
    def check(_request: bytes, _context: grpc.ServicerContext) -> bytes:
        return NOT_SERVING if problem() else SERVING

    def qdrant_check(_request: bytes, context: grpc.ServicerContext) -> bytes:
        why = problem()
        if why:
            context.abort(grpc.StatusCode.UNAVAILABLE, why)
        # qdrant.HealthCheckReply {title = 1, version = 2}
        return _text(1, "qdrant-edge stand-in") + _text(2, ENGINE_VERSION)

    server = grpc.server(futures.ThreadPoolExecutor(2, thread_name_prefix="grpc"), options=[("grpc.so_reuseport", 0)])
    unary = grpc.unary_unary_rpc_method_handler
    server.add_generic_rpc_handlers(
        (
            grpc.method_handlers_generic_handler("grpc.health.v1.Health", {"Check": unary(check)}),
            grpc.method_handlers_generic_handler("qdrant.Qdrant", {"HealthCheck": unary(qdrant_check)}),
        )
    )
    server.add_insecure_port(address)  # Raises when it cannot be had.
    server.start()
    return server
