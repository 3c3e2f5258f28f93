"""The kernel's socket tables, read both ways, hold exactly what the test listens on."""

from __future__ import annotations

import os
import socket

import pytest
from ansible_collections.optiinfra.platform.plugins.module_utils import _sockets

READERS = (_sockets.by_sock_diag, _sockets.by_proc)


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize(
    ("address", "kind", "protocol"),
    [
        ("127.0.0.1", socket.SOCK_STREAM, "tcp"),
        ("0.0.0.0", socket.SOCK_STREAM, "tcp"),
        ("::1", socket.SOCK_STREAM, "tcp"),
        ("::", socket.SOCK_STREAM, "tcp"),
        ("127.0.0.1", socket.SOCK_DGRAM, "udp"),
        ("::", socket.SOCK_DGRAM, "udp"),
    ],
)
def test_a_listener_is_seen_with_its_owner(read, address, kind, protocol, listen, port):
    listen(address, port, kind)
    (found,) = [item for item in read() if item.binding.port == port]
    assert (found.binding.address, found.binding.protocol, found.uid) == (address, protocol, os.getuid())
    owner = _sockets.owners([found.inode])[found.inode]
    assert owner.pid == os.getpid()
    assert owner.name.startswith(("python", "pytest"))


def test_v6only_is_known_from_the_kernel(listen, port):
    listen("::", port, v6only=True)
    listen("0.0.0.0", port)
    found = {item.binding.address: item.binding.v6only for item in _sockets.by_sock_diag() if item.binding.port == port}
    assert found == {"::": True, "0.0.0.0": False}


def test_established_connections_are_no_listeners(listen, port):
    server = listen("127.0.0.1", port)
    with socket.create_connection(("127.0.0.1", port)) as client:
        accepted, _address = server.accept()
        for read in READERS:
            assert [i.binding.port for i in read()].count(client.getsockname()[1]) == 0
            assert [i.binding.port for i in read()].count(port) == 1
        accepted.close()


def test_proc_takes_over_where_netlink_is_refused(listen, port, monkeypatch):
    listen("127.0.0.1", port)

    def refused(_protocols):
        raise OSError("refused")

    monkeypatch.setattr(_sockets, "by_sock_diag", refused)
    assert [item.binding.address for item in _sockets.listeners() if item.binding.port == port] == ["127.0.0.1"]


def test_garbage_in_proc_is_passed_over(tmp_path):
    (tmp_path / "net").mkdir()
    good = "   0: 0100007F:1538 00000000:0000 0A 00000000:00000000 00:00000000 00000000   105 0 4242 1"
    lines = ["header", "", "x", "0: zz:1 x 0A", "1: 0100007F 0 0A a b c d e f", good.replace("0100007F", "01"), good]
    (tmp_path / "net" / "tcp").write_text("\n".join(lines))
    found = _sockets.by_proc(("tcp",), str(tmp_path))
    assert [(str(item.binding), item.inode, item.uid) for item in found] == [("127.0.0.1:5432/tcp", 4242, 105)]
