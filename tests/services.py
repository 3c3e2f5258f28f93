"""The platform's services and their real stores in containers of their own, for tests and benchmarks."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
import uuid
from pathlib import Path

TESTS = Path(__file__).parent
WORD = "word-for-tests-0123456789"
CUSTOMER = "00000000-0000-0000-0000-000000000001"
ENVIRONMENT = {
    "POSTGRES_USER": "it",
    "POSTGRES_DB": "it",
    "POSTGRES_PASSWORD": WORD,
    "CLICKHOUSE_USER": "it",
    "CLICKHOUSE_DB": "it",
    "CLICKHOUSE_DATABASE": "it",
    "CLICKHOUSE_PASSWORD": WORD,
    "REDIS_PASSWORD": WORD,
    "CELERY_BROKER_URL": f"redis://:{WORD}@redis:6379/0",
    "QDRANT__SERVICE__API_KEY": WORD,
    "QDRANT_API_KEY": WORD,
    "DEFAULT_CUSTOMER_ID": CUSTOMER,
    "COLLECTOR_INTERVAL": "2",
    "COLLECTOR_SCRAPE_TIMEOUT": "1",
    "COLLECTOR_SCRAPE_LIMIT_BYTES": "1000000",
    "AGENT_TIMEOUT": "20",
}
REDIS = (
    "exec docker-entrypoint.sh redis-server - <<CONF\n"
    "requirepass $REDIS_PASSWORD\nappendonly yes\nappendfsync always\ndir /data\nCONF\n"
)
# As in the stack: what ends by itself begins again.
CREATE = ("docker", "create", "--restart", "unless-stopped")


def docker(*args, check=True):
    """Return what docker prints on standard output."""
    return subprocess.run(["docker", *args], check=check, capture_output=True, text=True).stdout.strip()


def images(*wanted):
    """Return {KEY_IMAGE: reference}; what is not there is built."""
    with tempfile.TemporaryDirectory() as folder:
        written = Path(folder, "images.json")
        variables = {"images_wanted": wanted, "images_written": str(written)}
        command = ["ansible-playbook", "tests/images.yml", "-e", json.dumps(variables)]
        done = subprocess.run(command, cwd=TESTS.parent, check=False, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(written.read_text())


class Platform:
    """Containers on a network of their own; each is known to the others by its service's name."""

    def __init__(self, images):
        self.images = images
        self.network = "it-services-" + uuid.uuid4().hex[:8]
        self.names = {}
        docker("network", "create", self.network)

    def __enter__(self):
        return self

    def __exit__(self, *_error):
        names = docker("ps", "-aq", "--filter", f"network={self.network}").split()
        if names:
            docker("rm", "--force", "--volumes", *names, check=False)
        docker("network", "rm", self.network, check=False)

    def start_stores(self):
        """Start PostgreSQL, ClickHouse, Redis and Qdrant."""
        self.start("postgres", "POSTGRES_IMAGE")
        self.start("clickhouse", "CLICKHOUSE_IMAGE")
        self.start("redis", "REDIS_IMAGE", "sh", "-c", REDIS)
        self.start("qdrant", "QDRANT_IMAGE")

    def start_customer(self):
        """Start the endpoints of customer.py on customer:8100."""
        self.start("customer", "ORCHESTRATOR_IMAGE", "python3", "-c", (TESTS / "customer.py").read_text())

    def start(self, service, image, *command, files=None, publish=None, **environment):
        """Start a service; ``files`` are texts by their path in the container, ``publish``, {port there: here}."""
        name = f"{self.network}-{service}"
        self.names[service] = name
        given = {**ENVIRONMENT, **environment}
        # By name only: values on a command line are seen by all users.
        options = [word for key in given for word in ("--env", key)]
        options += [f"--publish=127.0.0.1:{here}:{there}" for there, here in (publish or {}).items()]
        options += ["--name", name, "--network", self.network, "--network-alias", service]
        subprocess.run(
            [*CREATE, *options, self.images[image], *command],
            env={**os.environ, **given},
            check=True,
            capture_output=True,
        )
        for path, text in (files or {}).items():
            with tempfile.NamedTemporaryFile("w") as file:
                file.write(text)
                file.flush()
                os.chmod(file.name, 0o644)
                docker("cp", file.name, f"{name}:{path}")
        docker("start", name)

    def url(self, service, port, path=""):
        form = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
        return f"http://{docker('inspect', '--format', form, self.names[service])}:{port}{path}"

    def get(self, service, port, path):
        return self.call(service, port, path)

    def call(self, service, port, path, body=None, headers=None):
        """Return (status, JSON)."""
        data = None if body is None else json.dumps(body).encode()
        head = {"content-type": "application/json", **(headers or {})}
        try:
            with urllib.request.urlopen(
                urllib.request.Request(self.url(service, port, path), data, head), timeout=40
            ) as a:
                return a.status, json.load(a)
        except urllib.error.HTTPError as error:
            text = error.read().decode()
            return error.code, json.loads(text) if text.startswith("{") else text
        except (OSError, ValueError) as error:
            return 0, str(error)

    def sql(self, statement, check=True):
        """Return what PostgreSQL answers, a row a line."""
        command = (
            f'PGPASSWORD="$POSTGRES_PASSWORD" psql -h 127.0.0.1 -U it -d it -Atq -v ON_ERROR_STOP=1 -c "{statement}"'
        )
        return docker("exec", self.names["postgres"], "sh", "-c", command, check=check)

    def clickhouse(self, query):
        """Return what ClickHouse answers, a row a line."""
        command = f'clickhouse-client --user it --password "$CLICKHOUSE_PASSWORD" --database it --query "{query}"'
        return docker("exec", self.names["clickhouse"], "sh", "-c", command, check=False)

    def logs(self, service):
        done = subprocess.run(["docker", "logs", self.names[service]], check=True, capture_output=True, text=True)
        return done.stdout + done.stderr


def until(look, seconds=60):
    """Return what ``look`` returns once it is true."""
    deadline = time.monotonic() + seconds
    while True:
        found = look()
        if found or time.monotonic() > deadline:
            return found
        time.sleep(0.3)


def healthy(platform, service, port, path="/health"):
    """Return the service's report once it is healthy; fail with it and the log when it does not become so."""

    def look():
        status, report = platform.get(service, port, path)
        return report if status == 200 else None

    report = until(look)
    assert report, (service, platform.get(service, port, path), platform.logs(service)[-2000:])
    return report
