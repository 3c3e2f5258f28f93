"""What an account of the FAKE Vultr API has, and what requests do to it. See vultr_api.py, which serves it."""

from __future__ import annotations

import base64
import binascii
import re
import uuid

MAX_RULES = 50
WHEN = "2026-11-01T00:00:00+00:00"
REGIONS = [
    {"id": "ewr", "city": "New Jersey", "country": "US", "continent": "North America", "options": []},
    {"id": "ams", "city": "Amsterdam", "country": "NL", "continent": "Europe", "options": []},
    {"id": "fra", "city": "Frankfurt", "country": "DE", "continent": "Europe", "options": []},
]
OS = [
    {"id": 2136, "name": "Debian 12 x64 (bookworm)", "arch": "x64", "family": "debian"},
    {"id": 2625, "name": "Debian 13 x64 (trixie)", "arch": "x64", "family": "debian"},
    {"id": 2284, "name": "Ubuntu 24.04 LTS x64", "arch": "x64", "family": "ubuntu"},
]


def plans():
    """Return plans as Vultr lists them: those with a GPU come last, behind the first page of a hundred."""
    common = {"disk_count": 1, "bandwidth": 1024, "disk": 50}
    found = [
        {**common, "id": f"vc2-{n}c-{n}gb", "vcpu_count": n, "ram": 1024 * n, "monthly_cost": 5 * n, "type": "vc2",
         "locations": ["ewr", "ams", "fra"]}
        for n in range(1, 121)
    ]  # fmt: skip
    for name, vram, cost, where in (
        ("vcg-a16-2c-8g-2vram", 2, 43, ["ewr", "fra"]),
        ("vcg-a16-6c-64g-16vram", 16, 344, ["ewr", "fra"]),
        ("vcg-a40-24c-120g-48vram", 48, 1250, ["ewr"]),
        ("vcg-l40s-16c-180g-48vram", 48, 1220, []),
    ):
        gpu = {"gpu_type": "NVIDIA_" + name.split("-")[1].upper(), "gpu_vram_gb": vram}
        found.append({**common, "id": name, "vcpu_count": 6, "ram": 65536, "monthly_cost": cost, "type": "vcg",
                      "locations": where, **gpu})  # fmt: skip
    return found


class Refused(Exception):
    """An answer that is an error."""

    def __init__(self, status, error):
        super().__init__(error)
        self.status, self.error = status, error


class Account:
    """What an account has. Every method is one request; the caller holds the lock."""

    def __init__(self, machines, polls):
        self.machines, self.polls = machines, polls
        self.ssh_keys, self.groups, self.rules, self.instances = {}, {}, {}, {}
        self.user_data, self.asked = {}, {}

    # Instances

    def create_instance(self, body):
        plan = next((p for p in plans() if p["id"] == body.get("plan")), None)
        if body.get("region") not in [r["id"] for r in REGIONS]:
            raise Refused(400, "Invalid region.")
        if plan is None:
            raise Refused(400, "Invalid plan chosen.")
        if body["region"] not in plan["locations"]:
            raise Refused(400, "Plan is not available in the selected region.")
        system = next((o for o in OS if o["id"] == body.get("os_id")), None)
        if system is None:
            raise Refused(400, "Invalid os_id.")
        if body.get("firewall_group_id") and body["firewall_group_id"] not in self.groups:
            raise Refused(400, "Invalid firewall_group_id.")
        unknown = [key for key in body.get("sshkey_id") or [] if key not in self.ssh_keys]
        if unknown:
            raise Refused(400, "Invalid sshkey_id.")
        try:
            data = base64.b64decode(body.get("user_data") or "", validate=True).decode()
        except (binascii.Error, UnicodeError):
            raise Refused(400, "user_data must be base64 encoded.") from None
        number = str(uuid.uuid4())
        self.user_data[number], self.asked[number] = data, 0
        self.instances[number] = {
            "id": number, "label": body.get("label") or "", "hostname": body.get("hostname") or "",
            "region": body["region"],
            "plan": plan["id"], "os": system["name"], "os_id": system["id"], "app_id": 0, "image_id": "",
            "ram": plan["ram"], "vcpu_count": plan["vcpu_count"], "disk": plan["disk"], "main_ip": "0.0.0.0",
            "v6_main_ip": "", "v6_network": "", "v6_network_size": 0, "internal_ip": "", "kvm": "",
            "status": "pending", "power_status": "running", "server_status": "none", "tag": "",
            "tags": body.get("tags") or [], "firewall_group_id": body.get("firewall_group_id") or "",
            "features": ["ipv6"] if body.get("enable_ipv6") else [], "user_scheme": body.get("user_scheme") or "root",
            "date_created": WHEN,
        }  # fmt: skip
        keys = [self.ssh_keys[key]["ssh_key"] for key in body.get("sshkey_id") or []]
        self.machines.create({**self.instances[number], "user_data": data, "ssh_keys": keys})
        # Told once, in this answer.
        return {**self.instances[number], "default_password": "a-password-of-the-fake"}

    def advance(self, number):
        """Let an instance boot: it is looked at a few times before it is there."""
        instance = self.instances[number]
        self.asked[number] += 1
        if instance["status"] == "pending" and self.asked[number] >= self.polls:
            address = self.machines.address(number)
            if address:
                instance.update(status="active", server_status="installingbooting", main_ip=address)
        elif instance["server_status"] == "installingbooting":
            instance["server_status"] = "ok"
        return instance

    def change_instance(self, number, body):
        instance = self.instances[number]
        if "firewall_group_id" in body:
            instance["firewall_group_id"] = body["firewall_group_id"]
        if "tags" in body:
            instance["tags"] = body["tags"]
        if body.get("enable_ipv6"):
            instance["features"] = sorted({*instance["features"], "ipv6"})
        if "plan" in body:
            instance["plan"] = body["plan"]
        return instance

    def remove_instance(self, number):
        self.machines.destroy(self.instances[number])
        del self.instances[number]

    # Firewall

    def group(self, number):
        group = self.groups[number]
        users = [i for i in self.instances.values() if i["firewall_group_id"] == number]
        return {
            **group,
            "instance_count": len(users),
            "rule_count": len(self.rules[number]),
            "max_rule_count": MAX_RULES,
        }

    def create_group(self, body):
        number = str(uuid.uuid4())
        self.groups[number] = {"id": number, "description": body.get("description") or "", "date_created": WHEN}
        self.rules[number] = {}
        return self.group(number)

    def create_rule(self, number, body):
        rules = self.rules[number]
        for key in ("ip_type", "protocol", "subnet", "subnet_size"):
            if body.get(key) in (None, ""):
                raise Refused(400, f"{key} is required.")
        if body["protocol"] in ("tcp", "udp") and not re.fullmatch(r"[0-9]+(:[0-9]+)?", str(body.get("port") or "")):
            raise Refused(400, "Invalid port.")
        what = [body[key] for key in ("ip_type", "protocol", "subnet", "subnet_size")] + [str(body.get("port") or "")]
        if any(what == [r["ip_type"], r["protocol"], r["subnet"], r["subnet_size"], r["port"]] for r in rules.values()):
            raise Refused(400, "This rule is already defined.")
        if len(rules) >= MAX_RULES:
            raise Refused(400, "The firewall group has the maximum number of rules.")
        identity = max(rules, default=0) + 1
        rules[identity] = {
            "id": identity, "type": body["ip_type"], "ip_type": body["ip_type"], "action": "accept",
            "protocol": body["protocol"], "port": str(body.get("port") or ""), "subnet": body["subnet"],
            "subnet_size": body["subnet_size"], "source": body.get("source") or "", "notes": body.get("notes") or "",
        }  # fmt: skip
        return rules[identity]

    def create_key(self, body):
        if not str(body.get("ssh_key") or "").startswith(("ssh-", "ecdsa-")):
            raise Refused(400, "Invalid SSH key.")
        number = str(uuid.uuid4())
        self.ssh_keys[number] = {"id": number, "name": body.get("name") or "", "ssh_key": body["ssh_key"]}
        return self.ssh_keys[number]

    # Requests

    def answer(self, method, parts, query, body):
        """Return (status, name of what is returned or None, it)."""
        match (method, *parts):
            case ("GET", "account"):
                return 200, "account", {"name": "The fake account", "email": "fake@example.com", "balance": 0}
            case ("GET", "regions"):
                return 200, "regions", REGIONS
            case ("GET", "plans"):
                return 200, "plans", [p for p in plans() if query.get("type", p["type"]) in ("all", p["type"])]
            case ("GET", "os"):
                return 200, "os", OS
            case ("GET", "ssh-keys"):
                return 200, "ssh_keys", list(self.ssh_keys.values())
            case ("POST", "ssh-keys"):
                return 201, "ssh_key", self.create_key(body)
            case ("GET", "firewalls"):
                return 200, "firewall_groups", [self.group(number) for number in self.groups]
            case ("POST", "firewalls"):
                return 201, "firewall_group", self.create_group(body)
            case (_, "firewalls", number, *rest) if number in self.groups:
                return self.answer_group(method, number, rest, body)
            case ("GET", "instances"):
                found = [i for i in self.instances.values() if query.get("label", i["label"]) == i["label"]]
                found = [i for i in found if query.get("region", i["region"]) == i["region"]]
                return 200, "instances", [self.advance(i["id"]) for i in found]
            case ("POST", "instances"):
                return 202, "instance", self.create_instance(body)
            case (_, "instances", number, *rest) if number in self.instances:
                return self.answer_instance(method, number, rest, body)
        raise Refused(404, "Not found.")

    def answer_group(self, method, number, rest, body):
        match (method, *rest):
            case ("GET",):
                return 200, "firewall_group", self.group(number)
            case ("DELETE",):
                for instance in self.instances.values():
                    if instance["firewall_group_id"] == number:
                        instance["firewall_group_id"] = ""
                del self.groups[number], self.rules[number]
                return 204, None, None
            case ("GET", "rules"):
                return 200, "firewall_rules", list(self.rules[number].values())
            case ("POST", "rules"):
                return 201, "firewall_rule", self.create_rule(number, body)
            case ("DELETE", "rules", rule) if rule.isdigit() and int(rule) in self.rules[number]:
                del self.rules[number][int(rule)]
                return 204, None, None
        raise Refused(404, "Not found.")

    def answer_instance(self, method, number, rest, body):
        match (method, *rest):
            case ("GET",):
                return 200, "instance", self.advance(number)
            case ("PATCH",):
                return 202, "instance", self.change_instance(number, body)
            case ("DELETE",):
                self.remove_instance(number)
                return 204, None, None
            case ("GET", "user-data"):
                return 200, "user_data", {"data": base64.b64encode(self.user_data[number].encode()).decode()}
            case ("GET", "vpcs" | "vpc2"):
                return 200, "vpcs", []
        raise Refused(404, "Not found.")


class NoMachines:
    """Instances without a machine behind them: an address of the documentation's network, where nobody answers."""

    def create(self, instance):
        pass

    def address(self, number):
        return "192.0.2.10"

    def destroy(self, instance):
        pass
