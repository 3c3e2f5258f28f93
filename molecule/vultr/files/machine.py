"""machine.py CONTAINER create|destroy: the machine behind an instance of the fake Vultr API is a Molecule instance.

``create`` reads the instance from standard input, boots the container with the instance's user data and SSH keys, which
the real cloud-init applies, and prints its address. ``destroy`` switches it off; Molecule removes it.
"""

import io
import json
import subprocess
import sys
import tarfile


def docker(*words, data=None):
    return subprocess.run(["docker", *words], input=data, check=True, capture_output=True).stdout.decode().strip()


def seed(instance):
    """What cloud-init reads, as an archive."""
    meta = {
        "instance-id": instance["id"],
        "local-hostname": instance["hostname"],
        "public-keys": instance["ssh_keys"],
    }
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for name, text in (("user-data", instance["user_data"]), ("meta-data", json.dumps(meta))):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(text.encode()), 0o600
            tar.addfile(entry, io.BytesIO(text.encode()))
    return archive.getvalue()


def main(container, verb):
    if verb == "destroy":
        docker("stop", "--time", "1", container)
        return
    instance = json.load(sys.stdin)
    docker("cp", "-", f"{container}:/var/lib/cloud/seed/nocloud", data=seed(instance))
    docker("start", container)
    print(docker("inspect", "--format", "{{.NetworkSettings.IPAddress}}", container))


main(*sys.argv[1:])
