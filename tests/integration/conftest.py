"""Real sockets, real containers, real modules. What a test makes here is gone when it ends."""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import os
import random
import shutil
import socket
import subprocess
import tarfile
import uuid

import pytest
from ansible.module_utils.testing import patch_module_args

MODULES = "ansible_collections.optiinfra.platform.plugins.modules."


def docker(*args, check=True):
    return subprocess.run(["docker", *args], check=check, capture_output=True, text=True).stdout.strip()


@pytest.fixture(scope="session")
def platform():
    """The platform's services with their real stores."""
    from .platform import start

    yield from start()


@pytest.fixture
def browser(tmp_path):
    """A headless Chromium of its own."""
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    for word in ("--headless=new", "--no-sandbox", "--window-size=1280,900", f"--user-data-dir={tmp_path}/profile"):
        options.add_argument(word)
    service = webdriver.ChromeService(shutil.which("chromedriver"))
    with webdriver.Chrome(options, service) as driver:
        driver.set_page_load_timeout(60)
        yield driver


@pytest.fixture
def module(capsys):
    """Run a module as Ansible does, in this process: its result, with ``failed`` when it failed."""

    def run(name, check_mode=False, **args):
        if check_mode:
            args["_ansible_check_mode"] = True
        code = importlib.import_module(MODULES + name)
        with patch_module_args(args), pytest.raises(SystemExit):
            code.main()
        return json.loads(capsys.readouterr().out)

    return run


def is_free(port):
    for family, address in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
        with contextlib.closing(socket.socket(family, socket.SOCK_STREAM)) as probe:
            try:
                probe.bind((address, port))
            except OSError:
                return False
    return True


@pytest.fixture
def port():
    """A port that nobody uses, outside the ephemeral range."""
    return next(p for p in random.sample(range(20000, 30000), 200) if is_free(p))


@pytest.fixture
def listen():
    """Listen on an address and port, as a stranger does."""
    held = []

    def start(address, port, kind=socket.SOCK_STREAM, v6only=False):
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        found = socket.socket(family, kind)
        held.append(found)
        if family == socket.AF_INET6:
            found.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(v6only))
        found.bind((address, port))
        if kind == socket.SOCK_STREAM:
            found.listen()
        return found

    yield start
    for found in held:
        found.close()


@pytest.fixture(scope="session")
def image():
    """A tiny image made of this machine's static busybox."""
    busybox = shutil.which("busybox")
    if not busybox:
        pytest.fail("busybox is needed: apt-get install busybox-static")
    name = "localhost/optiinfra-test/busybox:" + uuid.uuid4().hex[:8]
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as root:
        root.add(os.path.realpath(busybox), "busybox")
        shell = tarfile.TarInfo("bin/sh")
        shell.type, shell.linkname = tarfile.SYMTYPE, "/busybox"
        root.addfile(shell)
    subprocess.run(["docker", "import", "-", name], input=archive.getvalue(), check=True, capture_output=True)
    yield name
    docker("rmi", "--force", name, check=False)


@pytest.fixture
def project():
    """The name of a Compose project that no other test has."""
    return "it-" + uuid.uuid4().hex[:8]


@pytest.fixture
def container(image, project):
    """Run a container of the Compose project; return its name."""
    names = []

    def start(*options, service="web", command=("httpd", "-f", "-p", "80")):
        name = "it-" + uuid.uuid4().hex[:8]
        names.append(name)
        labels = (
            "--label",
            f"com.docker.compose.project={project}",
            "--label",
            f"com.docker.compose.service={service}",
        )
        docker("run", "--detach", "--name", name, *labels, *options, image, "/busybox", *command)
        return name

    yield start
    for name in names:
        docker("rm", "--force", "--volumes", name, check=False)
