"""Probe 1,000 ports of a host: port_probe against nmap -sT (Debian's package nmap).

The host is a network namespace, probed from another one beside it. Half its ports listen and the others refuse; or a
firewall drops all but five, as on a public host. Prints the wall time of nmap, of the module as Ansible runs it on the
vantage point, and of the whole ad hoc command. Both have to find the same ports open.

    python tests/benchmarks/bench_port_probe.py [RUNS]
"""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from common import alternate, command, sent

HERE, THERE = "198.51.100.1", "198.51.100.2"
FIRST, COUNT = 10000, 1000
CASES = {"half listen, half refuse": (500, False), "5 listen, 995 are dropped": (5, True)}
MODULE = "optiinfra.platform.port_probe"
NMAP = ("nmap", "-sT", "-Pn", "-n", "-p", f"{FIRST}-{FIRST + COUNT - 1}", THERE)
ARGUMENTS = json.dumps({"address": THERE, "ports": list(range(FIRST, FIRST + COUNT))})


def run(*words: str) -> None:
    subprocess.run(words, check=True)


@contextlib.contextmanager
def host(listeners: int, drops: bool) -> Iterator[tuple[str, ...]]:
    """Make a host with listeners on the first of its ports; yield what to run a command by on its neighbour."""
    names = [f"bench-{uuid.uuid4().hex[:8]}" for _unused in range(2)]
    outside, inside = (("ip", "netns", "exec", name) for name in names)
    rules = (
        "add table inet guard; add chain inet guard input {type filter hook input priority 0;}; "
        f"add rule inet guard input tcp dport {FIRST + listeners}-{FIRST + COUNT - 1} drop"
    )
    with contextlib.ExitStack() as made:
        for name in names:
            run("ip", "netns", "add", name)
            made.callback(run, "ip", "netns", "del", name)
        run("ip", "-netns", names[0], "link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", names[1])
        for name, address in zip(names, (HERE, THERE), strict=True):
            run("ip", "-netns", name, "address", "add", f"{address}/30", "dev", "eth0")
            for link in ("lo", "eth0"):
                run("ip", "-netns", name, "link", "set", link, "up")
        if drops:
            run(*inside, "nft", rules)
        words = [*inside, sys.executable, str(Path(__file__).with_name("crowd.py")), str(listeners), "0"]
        with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as crowd:
            if crowd.stdout.readline() != "up\n":
                sys.exit("the listeners did not come")
            yield outside
            crowd.stdin.close()


def agree(prefix: tuple[str, ...], module: Path, listeners: int) -> None:
    """Exit unless both find exactly the ports that listen."""

    def output(*words: str) -> str:
        return subprocess.run([*prefix, *words], capture_output=True, text=True, check=True).stdout

    found = json.loads(output("/usr/bin/python3", str(module)))["results"]
    ours = {one["port"] for one in found if one["state"] == "reachable"}
    theirs = {int(port) for port in re.findall(r"^(\d+)/tcp +open", output(*NMAP), re.MULTILINE)}
    if not ours == theirs == set(range(FIRST, FIRST + listeners)):
        sys.exit(f"{listeners} listen; port_probe found {len(ours)}, nmap {len(theirs)}")


def main() -> None:
    if not shutil.which("nmap"):
        print("left out: nmap is not installed (apt-get install nmap)")
        return
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    print(f"{COUNT} ports, medians of {runs} runs, seconds")
    print(f"{'':28} {'nmap -sT':>9} {'the module':>11} {'ratio':>6} {'ad hoc':>7} {'ratio':>6}")
    with tempfile.TemporaryDirectory() as folder:
        module = sent(MODULE, ARGUMENTS, Path(folder))
        whole = ("ansible", "localhost", "-e", "ansible_python_interpreter=/usr/bin/python3", "-m", MODULE)
        for title, (listeners, drops) in CASES.items():
            with host(listeners, drops) as prefix:
                agree(prefix, module, listeners)
                # What takes minutes needs no repetition to be told from seconds.
                theirs, ours, adhoc = alternate(
                    1 if drops else runs,
                    partial(command, *prefix, *NMAP),
                    partial(command, *prefix, "/usr/bin/python3", str(module)),
                    partial(command, *prefix, *whole, "-a", ARGUMENTS),
                )
            print(f"{title:28} {theirs:>9.2f} {ours:>11.2f} {theirs / ours:>6.1f} {adhoc:>7.2f} {theirs / adhoc:>6.1f}")


if __name__ == "__main__":
    main()
