"""probe.py SYSFS: print what this host has of GPU, driver and container toolkit as JSON. Changes nothing."""

import glob
import json
import os
import platform
import re
import shutil
import subprocess
import sys

NVIDIA = "0x10de"


def read(path):
    try:
        with open(path, encoding="utf-8", errors="replace") as handle:
            return handle.read().strip()
    except OSError:
        return ""


def run(*argv):
    """Status and output of a command; -1 when it cannot be run."""
    try:
        done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired) as problem:
        return -1, str(problem)
    return done.returncode, done.stdout.decode(errors="replace").strip()


def devices(sysfs):
    """The NVIDIA display and 3D controllers on the PCI bus; their sound and USB functions are none."""
    found = []
    for path in sorted(glob.glob(os.path.join(sysfs, "bus/pci/devices/*"))):
        if read(os.path.join(path, "vendor")) == NVIDIA and read(os.path.join(path, "class")).startswith("0x03"):
            driver = os.path.join(path, "driver")
            found.append(
                {
                    "slot": os.path.basename(path),
                    "device": read(os.path.join(path, "device")),
                    "driver": os.path.basename(os.path.realpath(driver)) if os.path.exists(driver) else "",
                }
            )
    return found


def main():
    sysfs = sys.argv[1]
    release = dict(re.findall(r'^(\w+)="?([^"\n]*)"?$', read("/etc/os-release"), re.M))
    kernel = platform.release()
    status, smi = run("nvidia-smi", "-L")
    print(
        json.dumps(
            {
                "os": {key: release.get(key, "") for key in ("ID", "VERSION_ID", "VERSION_CODENAME", "PRETTY_NAME")},
                "architecture": run("dpkg", "--print-architecture")[1] if shutil.which("dpkg") else "",
                "apt": bool(shutil.which("apt-get")),
                "kernel": kernel,
                "devices": devices(sysfs),
                "nouveau": os.path.isdir(os.path.join(sysfs, "module/nouveau")),
                "driver": {
                    "works": status == 0 and smi.startswith("GPU "),
                    "gpus": smi.splitlines() if status == 0 else [],
                    "says": smi,
                    "version": read(os.path.join(sysfs, "module/nvidia/version")),
                    "built": run("modinfo", "-F", "version", "nvidia")[0] == 0,
                },
                "toolkit": run("nvidia-container-runtime", "--version")[1].splitlines()[:1]
                if shutil.which("nvidia-container-runtime")
                else [],
            }
        )
    )


main()
