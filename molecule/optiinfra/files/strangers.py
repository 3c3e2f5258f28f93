"""Ask every protected service without credentials, and print what it says, a line each."""

import subprocess
import urllib.error
import urllib.request

URLS = (
    "http://127.0.0.1:5555/workers",
    "http://127.0.0.1:6333/collections",
    "http://127.0.0.1:3000/api/datasources",
    "http://127.0.0.1:8123/?query=SELECT%201",
)
for url in URLS:
    try:
        print(urllib.request.urlopen(url, timeout=10).status)
    except urllib.error.HTTPError as error:
        print(error.code)
wrong = 'PGPASSWORD=wrong psql -h 127.0.0.1 -U optiinfra -c "SELECT 1"'
for command in (["optiinfra-redis", "redis-cli", "ping"], ["optiinfra-postgres", "sh", "-c", wrong]):
    done = subprocess.run(["docker", "exec", *command], capture_output=True, text=True, check=False)
    print(done.stdout + done.stderr)
