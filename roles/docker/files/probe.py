"""Print, as one JSON document, what the docker role has to know about this host. Changes nothing."""

import glob
import http.client
import importlib.util
import json
import os
import re
import shutil
import socket
import subprocess
import sys

SOCKET = "/var/run/docker.sock"
PLUGIN_DIRS = [
    os.path.expanduser("~/.docker/cli-plugins"),
    "/usr/local/lib/docker/cli-plugins",
    "/usr/local/libexec/docker/cli-plugins",
    "/usr/lib/docker/cli-plugins",
    "/usr/libexec/docker/cli-plugins",
]


def read(path):
    try:
        with open(path, encoding="utf-8", errors="replace") as handle:
            return handle.read()
    except OSError:
        return None


def run(*argv):
    """What a command prints, or None when it cannot be run."""
    try:
        done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.decode(errors="replace").strip()


def executables(name):
    found = [shutil.which(name)] + [d + "/" + name for d in ("/usr/local/bin", "/usr/bin")]
    return list(dict.fromkeys(path for path in found if path and os.access(path, os.X_OK)))


def compose(client):
    """The version of the Compose plugin that this Docker client finds, or nothing."""
    version = re.match(r"v?(\d[\w.+~-]*)$", run(client, "compose", "version", "--short") or "")
    return version.group(1) if version else ""


class Engine(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(10)
        self.sock.connect(SOCKET)

    def ask(self, path):
        self.request("GET", path)
        return json.loads(self.getresponse().read())


def engine():
    """Version, Swarm membership and the containers that a changed default address would move."""
    try:
        ask = Engine("localhost").ask
        info = ask("/info")
        unbound = []
        for item in ask("/containers/json?all=1"):
            ports = ask("/containers/%s/json" % item["Id"])["HostConfig"].get("PortBindings") or {}
            if any(not bind.get("HostIp") for binds in ports.values() for bind in binds or []):
                unbound.append(item["Names"][0].lstrip("/"))
        swarm = info.get("Swarm", {}).get("LocalNodeState") in ("active", "locked", "pending")
        return {"version": info["ServerVersion"], "swarm": swarm, "unbound": sorted(unbound)}
    except (OSError, ValueError, KeyError, http.client.HTTPException):
        return None


def process():
    """The running dockerd of this host, which is not the one of any container on it."""
    pid = (read("/run/docker.pid") or "").strip()
    argv = (read("/proc/%s/cmdline" % pid) or "").split("\0")[:-1] if pid else []  # none: a zombie
    if not argv or read("/proc/%s/comm" % pid) != "dockerd\n":
        return None
    return {
        "pid": int(pid),
        "argv": argv,
        "unit": "/docker.service" in (read("/proc/%s/cgroup" % pid) or ""),
        "init_script": (read("/run/docker-ssd.pid") or "").strip() == pid,
    }


def start_method(daemon):
    if daemon:
        return "systemd" if daemon["unit"] else "init-script" if daemon["init_script"] else "direct"
    if os.path.isdir("/run/systemd/system"):
        return "systemd"
    if os.path.exists("/etc/init.d/docker"):
        return "init-script"
    return "direct"


def nofile_hard(daemon):
    """The highest limit of open files that a container can be given."""
    about = "/proc/%s/" % (daemon["pid"] if daemon else "self")
    capabilities = re.search(r"^CapEff:\s*([0-9a-f]+)", read(about + "status") or "", re.M)
    if capabilities and int(capabilities.group(1), 16) >> 24 & 1:  # CAP_SYS_RESOURCE
        return int(read("/proc/sys/fs/nr_open"))
    limit = re.search(r"^Max open files\s+\S+\s+(\d+)", read(about + "limits") or "", re.M)
    return int(limit.group(1)) if limit else None


def configuration(path):
    """The engine's configuration: its settings, or what is wrong with it."""
    content = read(path)
    if content is None or not content.strip():
        return {"path": path, "text": content, "settings": {}, "error": None}
    try:
        settings = json.loads(content)
        error = None if isinstance(settings, dict) else "it holds a %s, not an object" % type(settings).__name__
    except ValueError as problem:
        settings, error = {}, str(problem)
    return {"path": path, "text": content, "settings": {} if error else settings, "error": error}


def mirror(release):
    """The URI and the options with which this host reads its own Debian release."""
    lines = []
    for path in ["/etc/apt/sources.list", *sorted(glob.glob("/etc/apt/sources.list.d/*.list"))]:
        lines += (read(path) or "").splitlines()
    for line in lines:
        entry = re.match(r"\s*deb\s+(?:\[(.*?)\]\s+)?(\S+)\s+(\S+)\s+", line)
        if entry and entry.group(3) == release and not entry.group(2).startswith("cdrom:"):
            signed = re.search(r"signed-by=(\S+)", entry.group(1) or "")
            return {"uri": entry.group(2), "signed_by": signed.group(1) if signed else None}
    for path in sorted(glob.glob("/etc/apt/sources.list.d/*.sources")):
        for stanza in re.split(r"\n\s*\n", read(path) or ""):
            fields = dict(re.findall(r"^(\w[\w-]*):[ \t]*(\S.*)$", stanza, re.M))
            if release in fields.get("Suites", "").split() and fields.get("Enabled", "yes").lower() != "no":
                return {"uri": fields.get("URIs", "").split()[0], "signed_by": fields.get("Signed-By")}
    return None


def main():
    release = dict(re.findall(r'^(\w+)="?([^"\n]*)"?$', read("/etc/os-release") or "", re.M))
    daemon = process()
    argv = daemon["argv"] if daemon else []
    flags = [re.match(r"--?([^=]*)", arg).group(1) for arg in argv if arg.startswith("-")]
    given = re.search(r"\0--config-file[=\0]([^\0]+)", "\0" + "\0".join(argv) + "\0")
    installed = run("dpkg-query", "-Wf", "${db:Status-Status} ${Package}\n", "docker-ce*") or ""
    print(
        json.dumps(
            {
                "os": {key: release.get(key, "") for key in ("ID", "VERSION_ID", "VERSION_CODENAME", "PRETTY_NAME")},
                "architecture": run("dpkg", "--print-architecture"),
                "apt": bool(shutil.which("apt-get")),
                "mirror": mirror(release.get("VERSION_CODENAME", "")),
                "docker_packages": "installed docker-ce" in installed.splitlines(),
                "python": {"path": sys.executable, "requests": bool(importlib.util.find_spec("requests"))},
                "engine": engine(),
                "daemon": daemon,
                "flags": flags,
                "dockerd": shutil.which("dockerd", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin"),
                "systemd": os.path.isdir("/run/systemd/system"),
                "method": start_method(daemon),
                "nofile_hard": nofile_hard(daemon),
                "config": configuration(given.group(1) if given else sys.argv[1]),
                "compose": {client: compose(client) for client in executables("docker")},
                "buildx": any(os.path.exists(d + "/docker-buildx") for d in PLUGIN_DIRS),
                "apparmor_wanted": (read("/sys/module/apparmor/parameters/enabled") or "").startswith("Y")
                and not shutil.which("apparmor_parser", path="/sbin:/usr/sbin"),
            }
        )
    )


main()
