"""The planner's rules, and its properties over arbitrary stacks."""

from __future__ import annotations

import itertools
import random

import pytest
from ansible_collections.optiinfra.platform.plugins.module_utils._binding import Binding, overlap
from ansible_collections.optiinfra.platform.plugins.module_utils._plan import BAD_PORTS, Host, locked, plan
from ansible_collections.optiinfra.platform.plugins.module_utils._stack import Endpoint, StackError
from hypothesis import given
from hypothesis import strategies as st


def endpoint(stack, service, port, **options):
    return Endpoint(stack, service, "http", port, port, (port,), options.pop("host_ip", "127.0.0.1"), **options)


def ports(assignments):
    return {a["id"].split(".")[0]: a["published"] for a in assignments}


def test_without_conflict_everyone_gets_what_it_asks_for():
    found, moves = plan([endpoint("a", "x", 3000), endpoint("a", "y", 3001)])
    assert ports(found) == {"a/x": 3000, "a/y": 3001}
    assert moves == []
    assert {a["reason"] for a in found} == {"preferred"}


def test_the_later_stack_moves_and_says_why():
    found, moves = plan([endpoint("a", "x", 3000), endpoint("b", "x", 3000), endpoint("b", "y", 3001)])
    assert ports(found) == {"a/x": 3000, "b/x": 3002, "b/y": 3001}
    assert moves == [
        {
            "endpoint": "b/x.http",
            "from": 3000,
            "to": 3002,
            "why": "3000 belongs to a/x.http (earlier in the order)",
            "because_of": "a/x.http",
        }
    ]


def test_adding_a_stack_never_moves_what_is_there():
    first, _moves = plan([endpoint("b", "x", 3000)])
    found, moves = plan([endpoint("a", "x", 3000)], locked(first))
    assert ports(found) == {"a/x": 3001}
    assert moves[0]["because_of"] == "b/x.http"
    both, moves = plan([endpoint("a", "x", 3000), endpoint("b", "x", 3000)], locked(first))
    assert ports(both) == {"a/x": 3001, "b/x": 3000}


def test_a_moved_endpoint_stays_even_when_its_preferred_port_becomes_free():
    found, _moves = plan([endpoint("a", "x", 3000), endpoint("b", "x", 3000)])
    alone, moves = plan([endpoint("b", "x", 3000)], {"b/x.http": locked(found)["b/x.http"]})
    assert ports(alone) == {"b/x": 3001}
    assert alone[0]["reason"] == "sticky"
    assert moves == []


def test_a_stack_that_asks_for_another_port_now_gets_it():
    found, _moves = plan([endpoint("a", "x", 3000)])
    again, moves = plan([endpoint("a", "x", 4000)], locked(found))
    assert ports(again) == {"a/x": 4000}
    assert (moves[0]["from"], moves[0]["to"], moves[0]["why"]) == (
        3000,
        4000,
        "its stack or an override asks for 4000 now",
    )


def test_fixed_is_stronger_than_sticky():
    found, _moves = plan([endpoint("a", "x", 3000)])
    both, moves = plan([endpoint("a", "x", 3000), endpoint("b", "x", 3000, fixed=True)], locked(found))
    assert ports(both) == {"a/x": 3001, "b/x": 3000}
    assert moves[0]["because_of"] == "b/x.http"


def test_two_fixed_ports_that_clash_name_both():
    with pytest.raises(StackError, match=r"b/x.http is fixed to 127.0.0.1:3000/tcp, which a/x.http has \(fixed\)"):
        plan([endpoint("a", "x", 3000, fixed=True), endpoint("b", "x", 3000, fixed=True)])


def test_fixed_cannot_take_what_a_stack_of_another_play_has():
    found, _moves = plan([endpoint("a", "x", 3000)])
    with pytest.raises(StackError, match=r"which a/x.http has \(assigned earlier\)"):
        plan([endpoint("b", "x", 3000, fixed=True)], locked(found))


def test_an_override_is_fixed():
    found, moves = plan([endpoint("a", "x", 3000), endpoint("a", "y", 3001)], overrides={"x.http": 3001})
    assert ports(found) == {"a/x": 3001, "a/y": 3002}
    assert moves[0]["because_of"] == "a/x.http"
    with pytest.raises(StackError, match=r"'z\.http' is no endpoint; there are x\.http"):
        plan([endpoint("a", "x", 3000)], overrides={"z.http": 1})
    with pytest.raises(StackError, match=r"endpoint of several stacks: a/x\.http, b/x\.http"):
        plan([endpoint("a", "x", 3000), endpoint("b", "x", 4000)], overrides={"x.http": 1})


def test_a_group_moves_together():
    group = [endpoint("b", name, port, group="agents") for name, port in (("x", 8001), ("y", 8002), ("z", 8003))]
    found, moves = plan([endpoint("a", "x", 8002), *group])
    assert ports(found) == {"a/x": 8002, "b/x": 8003, "b/y": 8004, "b/z": 8005}
    assert [m["endpoint"] for m in moves] == ["b/x.http", "b/y.http", "b/z.http"]
    assert "moves with its group" in moves[0]["why"]


def test_a_moved_endpoint_takes_nobodys_preferred_port_and_no_live_one():
    host = Host(ephemeral=(3004, 3010), reserved=frozenset([3002]), listeners=(Binding("0.0.0.0", 3003),))
    found, _moves = plan([endpoint("a", "x", 3000), endpoint("b", "x", 3000), endpoint("b", "y", 3001)], host=host)
    assert ports(found)["b/x"] == 3011


def test_a_privileged_port_moves_to_its_like_above_8000():
    found, _moves = plan([endpoint("a", "x", 80), endpoint("b", "x", 80)])
    assert ports(found) == {"a/x": 80, "b/x": 8080}


def test_addresses_and_protocols_that_do_not_overlap_share_a_port():
    found, moves = plan(
        [
            endpoint("a", "x", 53),
            endpoint("b", "x", 53, host_ip="127.0.0.2"),
            endpoint("c", "x", 53, protocol="udp"),
            endpoint("d", "x", 53, host_ip=""),
        ]
    )
    assert ports(found) == {"a/x": 53, "b/x": 53, "c/x": 53, "d/x": 8053}
    assert len(moves) == 1


def test_a_range_is_searched_before_anything_moves():
    second = endpoint("b", "x", 3000)._replace(choices=(3000, 3001))
    found, moves = plan([endpoint("a", "x", 3000), second])
    assert ports(found)["b/x"] == 3001
    assert found[1]["reason"] == "preferred"
    assert moves == []


def test_a_range_makes_room_for_one_that_has_no_choice():
    wide = endpoint("a", "x", 3000)._replace(choices=(3000, 3001))
    wider = endpoint("a", "y", 3001)._replace(choices=(3001, 3002))
    found, moves = plan([wide, wider, endpoint("b", "z", 3000)])
    assert (ports(found), moves) == ({"a/x": 3001, "a/y": 3002, "b/z": 3000}, [])


def test_a_range_keeps_off_a_stranger():
    wide = endpoint("a", "x", 3000)._replace(choices=(3000, 3001))
    found, _moves = plan([wide], host=Host(listeners=(Binding("0.0.0.0", 3000),)))
    assert ports(found) == {"a/x": 3001}


def test_the_higher_priority_gets_the_port_and_says_so():
    found, moves = plan([endpoint("a", "x", 3000), endpoint("b", "x", 3000, priority=5)])
    assert ports(found) == {"a/x": 3001, "b/x": 3000}
    assert moves[0]["why"] == "3000 belongs to b/x.http (of a higher priority)"


def test_priority_moves_nothing_that_is_there():
    first, _moves = plan([endpoint("a", "x", 3000)])
    found, _moves = plan([endpoint("a", "x", 3000), endpoint("b", "x", 3000, priority=5)], locked(first))
    assert ports(found) == {"a/x": 3000, "b/x": 3001}


def test_no_port_left_is_said():
    host = Host(ephemeral=(1024, 65535))
    with pytest.raises(StackError, match="no free port is left"):
        plan([endpoint("a", "x", 3000), endpoint("b", "x", 3000)], host=host)


small = st.lists(
    st.builds(
        endpoint,
        st.sampled_from("abc"),
        st.sampled_from("uvwxyz"),
        st.integers(3000, 3005),
        host_ip=st.sampled_from(["127.0.0.1", "127.0.0.2", "", "0.0.0.0", "::1"]),
        protocol=st.sampled_from(["tcp", "udp"]),
        group=st.sampled_from([None, None, "g"]),
    ),
    max_size=8,
    unique_by=lambda e: e.id,
)


def conflicts(assignments):
    found = [Binding(a["host_ip"], a["published"], a["protocol"]) for a in assignments]
    return [pair for pair in itertools.combinations(found, 2) if overlap(*pair)]


@given(small)
def test_never_a_conflict_and_never_a_forbidden_port(endpoints):
    found, moves = plan(endpoints)
    assert conflicts(found) == []
    assert [a["id"] for a in found] == [e.id for e in endpoints]
    for assignment in found:
        assert 1024 <= assignment["published"] <= 65535
        if assignment["reason"] == "moved":
            assert assignment["published"] not in BAD_PORTS
            assert not 32768 <= assignment["published"] <= 60999
    assert {m["endpoint"] for m in moves} == {a["id"] for a in found if a["reason"] == "moved"}


@given(small, small, st.randoms(use_true_random=False))
def test_sticky_whatever_is_added(before, added, shuffle):
    first, _moves = plan(before)
    lock = locked(first)
    items = list(lock.items())
    shuffle.shuffle(items)
    have = {e.id for e in before}
    both, _moves = plan([*[e for e in added if e.id not in have], *before], dict(items))
    kept = {a["id"]: a["published"] for a in both}
    assert all(kept[a["id"]] == a["published"] for a in first)
    assert conflicts(both) == []


@given(small)
def test_the_same_again_changes_nothing(endpoints):
    first, _moves = plan(endpoints)
    again, moves = plan(endpoints, locked(first))
    assert locked(again) == locked(first)
    assert moves == []


@given(small, st.randoms(use_true_random=False))
def test_the_order_of_listeners_means_nothing(endpoints, shuffle):
    listeners = [Binding("127.0.0.1", port) for port in range(3003, 3020, 2)]
    first = plan(endpoints, host=Host(listeners=tuple(listeners)))
    shuffle.shuffle(listeners)
    assert plan(endpoints, host=Host(listeners=tuple(listeners))) == first


@given(small.map(lambda items: [e._replace(group=None, host_ip="127.0.0.1", protocol="tcp") for e in items]))
def test_no_fewer_moves_are_possible(endpoints):
    """With one address, each port can serve one of those that ask for it: all others have to move."""
    _found, moves = plan(endpoints)
    assert len(moves) == len(endpoints) - len({e.preferred for e in endpoints})


def most(choices, taken=frozenset()):
    """Return how many can have one of their choices at most, by trying everything."""
    if not choices:
        return 0
    first, *others = choices
    return max([most(others, taken), *(1 + most(others, taken | {port}) for port in first if port not in taken)])


@given(st.lists(st.tuples(st.integers(3000, 3005), st.integers(1, 3)), max_size=7))
def test_no_fewer_moves_are_possible_with_ranges(wanted):
    choices = [tuple(range(first, first + count)) for first, count in wanted]
    endpoints = [endpoint("a", f"x{i}", ports[0])._replace(choices=ports) for i, ports in enumerate(choices)]
    found, moves = plan(endpoints)
    assert conflicts(found) == []
    assert len(endpoints) - len(moves) == most(choices)


@given(small, st.data())
def test_nobody_gives_way_to_a_lower_priority(endpoints, data):
    endpoints = [e._replace(group=None, priority=data.draw(st.integers(-2, 2))) for e in endpoints]
    _found, moves = plan(endpoints)
    priority = {e.id: e.priority for e in endpoints}
    assert all(priority[m["because_of"]] >= priority[m["endpoint"]] for m in moves)


@given(small, st.sets(st.integers(0, 7)))
def test_fixed_never_moves(endpoints, chosen):
    endpoints = [e._replace(fixed=i in chosen) for i, e in enumerate(endpoints)]
    try:
        found, _moves = plan(endpoints)
    except StackError as exc:
        if "is fixed to" not in str(exc):
            raise
        return
    for wanted, assignment in zip(endpoints, found, strict=True):
        if wanted.fixed:
            assert assignment["published"] == wanted.preferred


def test_many_stacks_are_planned_without_conflict():
    shuffle = random.Random(4)
    endpoints = [endpoint(f"s{i}", f"x{j}", shuffle.randint(3000, 3400)) for i in range(40) for j in range(10)]
    found, _moves = plan(endpoints)
    assert len({a["published"] for a in found}) == 400
