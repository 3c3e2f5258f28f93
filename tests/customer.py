"""A customer's endpoints for tests: good pages at /vllm, /chat, /dcgm and /federate; bad ones that mean harm."""

import itertools
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PAGES = {
    "/vllm": 'vllm:num_requests_running{model_name="m"} 2\nvllm:num_requests_waiting{model_name="m"} 7\n'
    'vllm:generation_tokens_total{model_name="m"} 1000\n',
    "/chat": 'http_requests_total{status="200"} 90\nhttp_requests_total{status="503"} 10\n',
    "/dcgm": 'DCGM_FI_DEV_GPU_UTIL{gpu="0"} 3\nDCGM_FI_DEV_FB_USED{gpu="0"} 2000\nDCGM_FI_DEV_FB_FREE{gpu="0"} 14000\n',
    "/federate": 'up{job="vllm"} 1\n',
}


THOUSAND = "".join(
    f'vllm:e2e_request_latency_seconds_bucket{{model_name="m",engine="0",le="{n}"}} {n * 17}\n' for n in range(1000)
).encode()


class Customer(BaseHTTPRequestHandler):
    def do_GET(self):
        path = self.path.partition("?")[0]
        self.send_response(200)
        self.end_headers()
        if path == "/endless":
            for number in itertools.count():
                self.wfile.write(f'big{{n="{number}"}} 1\n'.encode() * 1000)
        elif path == "/silent":
            time.sleep(3600)
        elif path == "/garbage":
            self.wfile.write(b"\x00\xff<html>{{{ nan nan nan" * 100)
        elif path == "/thousand":
            self.wfile.write(THOUSAND)
        else:
            self.wfile.write(PAGES[path].encode())

    def log_message(self, *_args):
        """Say nothing."""


ThreadingHTTPServer(("0.0.0.0", 8100), Customer).serve_forever()
