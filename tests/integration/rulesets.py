"""Random rule sets, in the languages of iptables-restore and nft, over the addresses of nets.Net."""

from __future__ import annotations

SOURCES = {
    4: ["10.99.1.1", "192.0.2.10", "192.0.2.77", "203.0.113.5"],
    6: ["fd00:99:1::1", "2001:db8::10", "2001:db8:1::5"],
}
HOST = {4: ["10.99.1.2", "10.99.1.3"], 6: ["fd00:99:1::2", "fd00:99:1::3"]}
NETWORKS = {
    4: ["10.99.1.0/24", "192.0.2.0/24", "192.0.2.64/26", "192.0.2.10", "203.0.113.5/32", "128.0.0.0/1", "0.0.0.0/0"],
    6: ["fd00::/8", "2001:db8::/32", "2001:db8::/64", "2001:db8:1::5", "2000::/3", "::/0"],
}
CONTAINER = {4: "10.99.2.2", 6: "fd00:99:2::2"}
STATES = ["NEW", "ESTABLISHED", "NEW,RELATED", "DNAT", "INVALID,DNAT"]
PORTS = list(range(1000, 1010))


def _port(rng):
    low = rng.choice(PORTS)
    return low, min(low + rng.choice([0, 0, 0, 1, 3]), 1009)


class Iptables:
    """Rules for iptables-restore."""

    def __init__(self, rng, family, strange=False):
        self.rng, self.family, self.strange = rng, family, strange

    def _match(self, allowed):
        rng, family = self.rng, self.family
        negated = rng.choice(["", "", "! "])
        kind = rng.choice(allowed)
        low, high = _port(rng)
        port = f"{low}:{high}" if low != high else str(low)
        protocol = rng.choice(["tcp", "udp"])
        first, last = sorted(rng.sample(SOURCES[family], 2), key=lambda a: (a.count(":"), a))
        return {
            "port": f"-p {protocol} -m {protocol} {negated}--dport {port}",
            "ports": f"-p {protocol} -m multiport {negated}--dports {','.join(map(str, rng.sample(PORTS, 3)))},{port}",
            "protocol": f"{negated}-p {protocol}",
            # Nothing but everybody is no rule that loads.
            "source": f"{negated}-s {rng.choice(NETWORKS[family][: -1 if negated else None])}",
            "target": f"{negated}-d {rng.choice([*HOST[family], CONTAINER[family], NETWORKS[family][0]])}",
            "range": f"-m iprange {negated}--src-range {first}-{last}",
            "in": f"{negated}-i {rng.choice(['eth0', 'docker0', 'eth+', 'lo'])}",
            "out": f"{negated}-o {rng.choice(['docker0', 'eth0', 'docker+'])}",
            "state": f"-m conntrack {negated}--ctstate {rng.choice(STATES)}",
            "asked": f"-p {protocol} -m conntrack {negated}--ctorigdstport {port} --ctdir ORIGINAL",
            "local": f"-m addrtype {negated}--dst-type {rng.choice(['LOCAL', 'UNICAST', 'MULTICAST'])}",
            "from": f"-m addrtype {negated}--src-type {rng.choice(['UNICAST', 'LOCAL'])}",
            "flags": f"-p tcp -m tcp {negated}--tcp-flags {rng.choice(['FIN,SYN,RST,ACK SYN', 'ALL NONE', 'SYN SYN'])}",
            "sport": f"-p {protocol} -m {protocol} --sport 1024:65535",
            "chosen": f"-p {protocol} -m {protocol} {negated}--sport {rng.choice(['53', '67:68'])}",
            "mark": f"-m mark {negated}--mark {rng.choice(['0x0', '0x7'])}",
            "kind": f"-m pkttype {negated}--pkt-type unicast",
            "strange": f"-m length {negated}--length {rng.choice(['0:10', '20:70'])}",
            "recent": f"-m recent {negated}--rcheck --name nobody",
        }[kind]

    def _rule(self, chain, allowed, targets):
        rng = self.rng
        kinds = [k for k in allowed if k not in ("out", "asked") or chain[0] in "FAB"]
        kinds = [k for k in kinds if k != "strange" or self.strange]
        found, words = set(), []
        for _unused in range(rng.choice([0, 1, 1, 2, 2])):
            match = self._match(kinds)
            # One protocol and one of each kind is all that a rule may have.
            heads = {word for word in match.split() if word.startswith("-") and word != "-m"}
            heads |= {word for word in match.split() if word in ("recent", "conntrack", "addrtype", "multiport")}
            if not heads & found:
                found |= heads
                words.append(match)
        target = rng.choice(targets)
        return f"-A {chain} {' '.join(words)} {target}"

    def text(self):
        """Return what iptables-restore reads."""
        rng, family = self.rng, self.family
        both = ["port"] * 6 + ["ports", "ports", "protocol", "source", "source", "source", "target", "range", "in"]
        both += ["state", "state", "local", "from", "flags", "sport", "chosen", "mark", "kind", "recent", "strange"]
        ends = ["-j ACCEPT"] * 3 + ["-j DROP"] * 3 + ["-j REJECT", "-j RETURN"]
        jumps = ["-j U1", "-j U2", "-g U2"]
        lines = ["*raw", ":PREROUTING ACCEPT", ":OUTPUT ACCEPT", "-A PREROUTING ! -i eth0 -j ACCEPT"]
        early = ["port", "ports", "source", "target", "in", "protocol", "mark", "sport"]
        lines += [self._rule("PREROUTING", early, ["-j DROP", "-j ACCEPT"]) for _n in range(rng.choice([0, 0, 1]))]
        lines += ["COMMIT", "*nat", ":PREROUTING ACCEPT", ":INPUT ACCEPT", ":OUTPUT ACCEPT", ":POSTROUTING ACCEPT"]
        lines += [":D1 -"]
        for chain in rng.choice([["PREROUTING"] * 3, ["PREROUTING", "D1", "D1", "PREROUTING"]]):
            lines.append(self._nat_rule(chain))
        lines += ["-A PREROUTING -m addrtype --dst-type LOCAL -j D1"] if ":D1 -" in lines else []
        lines += ["COMMIT", "*filter", f":INPUT {rng.choice(['ACCEPT', 'DROP'])}"]
        lines += [f":FORWARD {rng.choice(['ACCEPT', 'DROP'])}", ":OUTPUT ACCEPT", ":U1 -", ":U2 -"]
        # It is about first packets; those that follow are not to tear down what the first one has made.
        lines += [f"-A {name} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT" for name in ("INPUT", "FORWARD")]
        # Without it, IPv6 does not find its neighbours.
        lines += ["-A INPUT -p ipv6-icmp -j ACCEPT"] if family == 6 else []
        for chain, count, targets in (
            ("INPUT", rng.randint(2, 6), ends + jumps),
            ("FORWARD", rng.randint(1, 4), ends + jumps),
            ("U1", rng.randint(1, 4), [*ends, "-j U2", "-j MARK --set-mark 7"]),
            ("U2", rng.randint(1, 3), ends),
        ):
            kinds = both + (["out", "asked"] if chain == "FORWARD" else [])
            lines += [self._rule(chain, kinds, targets) for _n in range(count)]
        return "\n".join([*lines, "COMMIT", ""])

    def _nat_rule(self, chain):
        rng, family = self.rng, self.family
        protocol, (low, high) = rng.choice(["tcp", "udp"]), _port(rng)
        container = f"[{CONTAINER[family]}]" if family == 6 else CONTAINER[family]
        target = rng.choice(
            [
                f"-j DNAT --to-destination {container}:{rng.choice([80, low])}",
                f"-j DNAT --to-destination {CONTAINER[family]}",
                f"-j REDIRECT --to-ports {rng.choice(PORTS)}",
                "-j RETURN",
                "-j ACCEPT",
            ]
        )
        extra = rng.choice(["", "", f"-s {rng.choice(NETWORKS[family])} ", f"-d {HOST[family][0]} ", "! -i docker0 "])
        port = f"{low}:{high}" if low != high else str(low)
        return f"-A {chain} {extra}-p {protocol} -m {protocol} --dport {port} {target}"


class Nft:
    """Rules for nft, in one table for both families."""

    def __init__(self, rng, strange=False):
        self.rng, self.strange = rng, strange

    def _port(self):
        rng = self.rng
        low, high = _port(rng)
        return rng.choice([str(low), f"{low}-{high}" if low != high else str(low)])

    def _match(self, chain):
        rng = self.rng
        family = rng.choice([4, 6])
        ip = "ip" if family == 4 else "ip6"
        sign = rng.choice(["", "", "!= "])
        protocol = rng.choice(["tcp", "udp", "th"])
        ports = ", ".join(str(p) for p in rng.sample(PORTS, 3))
        kinds = ["port"] * 4 + ["ports", "below", "source", "sources", "named", "target", "in", "state", "l4", "family"]
        kinds += ["local", "flags", "concat", "mark", "limit", "status"] + ["asked"] * (chain == "forward")
        kinds += ["strange"] * 2 * self.strange
        pair = f"{rng.choice(SOURCES[family])} . {rng.choice(PORTS)}"
        th = f"meta l4proto {rng.choice(['tcp', 'udp'])} " if protocol == "th" else ""
        return {
            "port": f"{th}{protocol} dport {sign}{self._port()}",
            "ports": f"{th}{protocol} dport {sign}{{ {ports} }}",
            "below": f"{th}{protocol} dport {rng.choice(['<', '>', '<=', '>='])} {rng.choice(PORTS)}",
            "source": f"{ip} saddr {sign}{rng.choice(NETWORKS[family][:-1])}",
            "sources": f"{ip} saddr {sign}{{ {', '.join(rng.sample(SOURCES[family], 2))} }}",
            "named": f"{ip} saddr {sign}@friends{family}",
            "target": f"{ip} daddr {sign}{rng.choice([*HOST[family], CONTAINER[family]])}",
            "in": f"iifname {sign}{rng.choice(['eth0', 'docker0', '{ eth0, lo }'])}",
            "state": f"ct state {rng.choice(['new', 'established', 'new,related', 'invalid'])}",
            "status": f"ct status {rng.choice(['dnat', 'snat'])}",
            "l4": f"meta l4proto {sign}{rng.choice(['tcp', 'udp', '{ tcp, udp }'])}",
            "family": f"meta nfproto {rng.choice(['ipv4', 'ipv6'])}",
            "local": f"fib daddr type {sign}{rng.choice(['local', 'unicast'])}",
            "flags": f"tcp flags & (fin | syn | rst | ack) == {rng.choice(['syn', 'ack'])}",
            "concat": f"{ip} saddr . tcp dport {sign}{{ {pair} }}",
            "mark": f"meta mark {sign}{rng.choice([0, 7])}",
            "limit": "limit rate over 1000000/second burst 100000 packets",
            "asked": f"meta l4proto tcp ct original proto-dst {rng.choice(PORTS)}",
            "strange": f"meta length {rng.choice(['< 10', '> 20', '20-70'])}",
        }[rng.choice(kinds)]

    def _rule(self, chain, targets):
        rng = self.rng
        first, second = self._match(chain), self._match(chain)
        words = [first]
        # Two that speak of one layer do not load.
        if not any(w in second and w in first for w in ("dport", "l4proto", "tcp", "addr", "nfproto", "th ")):
            layers = {"addr", "nfproto"}
            mixed = any(w in first for w in layers) and any(w in second for w in layers)
            ports = any(w in first for w in ("port", "l4", "flags")) and any(
                w in second for w in ("port", "l4", "flags")
            )
            if not mixed and not ports and rng.random() < 0.5:
                words.append(second)
        return " ".join([*words, rng.choice(["", "counter "]) + rng.choice(targets)])

    def _vmap(self, targets):
        rng = self.rng
        verdicts = [t for t in targets if t != "reject"]
        ports = rng.sample(PORTS, 3)
        body = ", ".join(f"{port} : {rng.choice(verdicts)}" for port in ports)
        return rng.choice(
            [
                f"tcp dport vmap {{ {body} }}",
                "tcp dport vmap @doors",
                "ct state vmap { new : continue, established : accept }",
            ]
        )

    def text(self):
        """Return what nft -f reads."""
        rng = self.rng
        ends = ["accept", "accept", "drop", "drop", "reject", "return"]
        lines = ["table inet t {"]
        for family, kind in ((4, "ipv4_addr"), (6, "ipv6_addr")):
            chosen = ", ".join(rng.sample(NETWORKS[family][:-2], 2))
            flags = "flags interval; auto-merge"
            lines.append(f"set friends{family} {{ type {kind}; {flags}; elements = {{ {chosen} }}; }}")
        ports = rng.sample(PORTS, 2)
        lines += [
            f"map doors {{ type inet_service : verdict; elements = {{ {ports[0]} : accept, {ports[1]} : jump u2 }}; }}"
        ]
        lines += ["chain u2 {", *(self._rule("u2", ends) for _n in range(2)), "}"]
        lines += [
            "chain u1 {",
            *(self._rule("u1", [*ends, "jump u2", "goto u2"]) for _n in range(2)),
            self._vmap(ends),
            "}",
        ]
        for hook in ("input", "forward"):
            lines += [f"chain {hook} {{ type filter hook {hook} priority 0; policy {rng.choice(['accept', 'drop'])};"]
            lines += ["meta l4proto ipv6-icmp accept"]
            lines += ["ct state established,related accept"]
            for _n in range(rng.randint(2, 5)):
                lines.append(
                    self._vmap([*ends, "jump u1", "goto u1"])
                    if rng.random() < 0.2
                    else self._rule(hook, [*ends, "jump u1", "goto u1"])
                )
            lines += ["}"]
        lines += ["chain pre { type nat hook prerouting priority dstnat; policy accept;"]
        for _n in range(3):
            family = rng.choice([4, 6])
            where = f"[{CONTAINER[6]}]" if family == 6 else CONTAINER[4]
            ip = "ip" if family == 4 else "ip6"
            port, kind = rng.choice(PORTS), rng.choice(["tcp", "udp"])
            lines.append(
                rng.choice(
                    [
                        f"{ip} daddr {HOST[family][0]} tcp dport {port} dnat {ip} to {where}:80",
                        f"fib daddr type local iifname != docker0 {kind} dport {port} dnat {ip} to {where}:{port}",
                        f"tcp dport {port} redirect to :{rng.choice(PORTS)}",
                    ]
                )
            )
        return "\n".join([*lines, "}", "}", ""])
