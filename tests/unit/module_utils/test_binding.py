"""When two host bindings exclude each other, against the kernel's own answer."""

from __future__ import annotations

import contextlib
import socket

import pytest
from ansible_collections.optiinfra.platform.plugins.module_utils._binding import (
    Binding,
    host_port,
    normal_address,
    overlap,
    port_number,
    wider,
)
from hypothesis import given
from hypothesis import strategies as st

ADDRESSES = ("", "0.0.0.0", "::", "127.0.0.1", "127.0.0.2", "::1", "10.0.0.9", "fe80::1")
bindings = st.builds(
    Binding, st.sampled_from(ADDRESSES), st.integers(1, 3), st.sampled_from(("tcp", "udp")), st.booleans()
)


@given(bindings, bindings)
def test_overlap_is_symmetric(left, right):
    there, back = overlap(left, right), overlap(right, left)
    assert there == back


@given(bindings)
def test_a_binding_excludes_itself_but_not_its_other_protocol_or_neighbour(one):
    assert overlap(one, one)
    assert not overlap(one, one._replace(protocol="udp" if one.protocol == "tcp" else "tcp"))
    assert not overlap(one, one._replace(port=one.port + 1))


def listen(address, port, v6only):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    found = socket.socket(family, socket.SOCK_STREAM)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET6:
        found.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(v6only))
    try:
        found.bind((address, port))
        found.listen()
    except OSError:
        found.close()
        raise
    return found


@pytest.mark.parametrize("first", ["0.0.0.0", "::", "127.0.0.1", "127.0.0.2", "::1"])
@pytest.mark.parametrize("second", ["0.0.0.0", "::", "127.0.0.1", "127.0.0.2", "::1"])
@pytest.mark.parametrize("v6only", [False, True])
def test_the_kernel_agrees(first, second, v6only):
    with contextlib.closing(listen(first, 0, v6only)) as held:
        port = held.getsockname()[1]
        try:
            listen(second, port, v6only).close()
            refused = False
        except OSError:
            refused = True
    assert overlap(Binding(first, port, "tcp", v6only), Binding(second, port, "tcp", v6only)) == refused


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("[::1]", "::1"),
        ("0:0:0:0:0:0:0:1", "::1"),
        ("::ffff:10.0.0.9", "10.0.0.9"),
        ("fe80::1%eth0", "fe80::1"),
        ("", ""),
    ],
)
def test_normal_address(text, address):
    assert normal_address(text) == address


@pytest.mark.parametrize("text", ["localhost", "1.2.3", "1.2.3.4.5", "::g", "127.0.0.1:80", "1.2.3.4/8"])
def test_no_address(text):
    with pytest.raises(ValueError, match="is not an IP address"):
        normal_address(text)


@pytest.mark.parametrize("value", [0, 65536, 70000, -1, "abc", "", True, 80.0, None, "8080x", "\uff18\uff10", [80]])
def test_no_port(value):
    with pytest.raises(ValueError, match="from 1 to 65535"):
        port_number(value)


@pytest.mark.parametrize("value", [1, 65535, "80", " 80 "])
def test_port(value):
    assert port_number(value) == int(value)


def test_wider():
    assert wider("0.0.0.0", "127.0.0.1")
    assert wider("::", "127.0.0.1")
    assert wider("", "0.0.0.0")
    assert wider("10.0.0.9", "127.0.0.1")
    assert not wider("127.0.0.1", "0.0.0.0")
    assert not wider("0.0.0.0", "")
    assert not wider("10.0.0.9", "10.0.0.9")


def test_host_port():
    assert host_port("::1", 80) == "[::1]:80"
    assert host_port("", 80) == "*:80"
