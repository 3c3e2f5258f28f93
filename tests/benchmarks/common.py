"""What the benchmarks share: running a playbook and printing medians side by side."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]


def playbook(text: str, inventory: str, *arguments: str, forks: int = 10, prefix: tuple[str, ...] = ()) -> float:
    """Run a playbook from a string and return its wall time in seconds.

    :arg inventory: text of an INI inventory
    :arg prefix: what to run it by, such as ("ip", "netns", "exec", name)
    :raises SystemExit: with the playbook's output when it fails
    """
    with tempfile.TemporaryDirectory() as folder:
        play, hosts = Path(folder, "play.yml"), Path(folder, "hosts.ini")
        play.write_text(text)
        hosts.write_text(inventory)
        return command(*prefix, "ansible-playbook", "-i", str(hosts), "-f", str(forks), str(play), *arguments)


def command(*words: str, cwd: Path = CHECKOUT, **environment: str) -> float:
    """Run a command and return its wall time in seconds."""
    binaries = Path(sys.executable).parent
    environment = {**os.environ, "PATH": f"{binaries}:{os.environ['PATH']}", **environment}
    started = time.perf_counter()
    done = subprocess.run(words, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - started
    if done.returncode:
        sys.exit(f"{' '.join(words)} failed:\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
    return seconds


def sent(module: str, arguments: str, folder: Path) -> Path:
    """Return the file that Ansible sends to a host for a module with these arguments."""
    settings = {"ANSIBLE_KEEP_REMOTE_FILES": "1", "ANSIBLE_PIPELINING": "0", "ANSIBLE_REMOTE_TMP": str(folder / module)}
    words = ["ansible", "localhost", "-c", "local", "-e", "ansible_python_interpreter=/usr/bin/python3", "-m", module]
    command(*words, *(["-a", arguments] if arguments else []), **settings)
    return next(folder.glob(f"{module}/*/AnsiballZ_*.py"))


def alternate(runs: int, *measures) -> list[float]:
    """Run the measures in turn, so that a change of the machine's speed meets all of them; return their medians."""
    samples: list[list[float]] = [[] for _unused in measures]
    for _unused in range(runs):
        for index, measure in enumerate(measures):
            samples[index].append(measure())
    return [statistics.median(values) for values in samples]


def local_hosts(count: int) -> str:
    """Return an INI inventory of this machine under so many names."""
    line = "host{0} ansible_connection=local ansible_python_interpreter=/usr/bin/python3\n"
    return "".join(line.format(number) for number in range(1, count + 1))
