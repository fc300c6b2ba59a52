#!/usr/bin/env python3
"""libvirt's own answers. Standard input: a JSON list of domain XML as ask_nova.py gives it; standard output: an object with
the versions and a list of answers: QEMU's arguments as a list, or as a string the reason why libvirt refuses.

`virsh domxml-to-native qemu-argv`, in libvirt's embedded driver: no daemon runs and nothing is left. It starts no QEMU but
to ask what it can do, and makes a tap device. What libvirt refuses here is changed: there is no KVM (kvm -> qemu,
host-model -> maximum), and no cgroups without root (cputune, and what blkio limits of a disk need). What a card has besides
its model is forgotten by domxml-to-native, and stays a matter of the XML.

Needs unshare, /dev/net/tun, and BOOTWORTHY_LIBVIRT, which names what tests/libvirt has unpacked: libvirt, QEMU, UEFI's
firmware, swtpm."""
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET

EMULATOR = "/usr/bin/qemu-system-x86_64"
# The unpacked packages lie over /usr; root's libvirt would want a user of its own; a tap device wants CAP_NET_ADMIN.
INSIDE = """unshare --user --map-root-user --mount sh -ec 'mount -t overlay overlay -o "lowerdir=$0/usr:/usr" /usr
exec unshare --user --net --map-user=1000 --map-group=1000 --keep-caps "$@"'"""


def run(folder, *command):
    variables = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": f"{folder}/home", "XDG_RUNTIME_DIR": f"{folder}/run", "LC_ALL": "C"}
    command = [*shlex.split(INSIDE), os.environ["BOOTWORTHY_LIBVIRT"], *command]
    return subprocess.run(command, env=variables, capture_output=True, text=True)


def prepared(domain):
    domain.set("type", "qemu")
    for cpu in domain.findall("cpu[@mode='host-model']"):
        cpu.set("mode", "maximum")
    for tune in domain.findall("cputune"):
        domain.remove(tune)
    for disk in domain.findall("devices/disk"):
        for tune in disk.findall("iotune"):
            disk.remove(tune)
    ET.SubElement(domain.find("devices"), "emulator").text = EMULATOR
    return ET.tostring(domain, encoding="unicode")


def translated(text, folder):
    domain = ET.fromstring(text)
    file = os.path.join(folder, "domain.xml")
    with open(file, "w") as out:
        out.write(prepared(domain))
    uri = f"qemu:///embed?root={folder}/libvirt"
    answer = run(folder, "virsh", "-q", "-c", uri, "domxml-to-native", "qemu-argv", "--xml", file)
    if answer.returncode:
        lines = [line for line in answer.stderr.splitlines() if line.startswith("error: ")]
        if not lines:
            sys.exit(answer.stderr)
        return lines[-1].removeprefix("error: ").replace(folder, "")
    # Which descriptor a tap device gets is a matter of threads.
    words = shlex.split(re.sub(r'"fd":"\d+"', '"fd":"3"', answer.stdout.replace(folder, "")))
    words = words[words.index(EMULATOR) + 1:]
    # An alias is what QEMU's version makes of it.
    at = words.index("-machine") + 1
    _, *options = words[at].split(",")
    words[at] = ",".join([domain.find("os/type").get("machine"), *options])
    return words


def main():
    with tempfile.TemporaryDirectory() as folder:
        for name in ["libvirt", "run", "home"]:
            os.mkdir(os.path.join(folder, name))
        answers = [translated(text, folder) for text in json.load(sys.stdin)]
        versions = [run(folder, program, "--version").stdout.split("\n")[0] for program in ["virsh", EMULATOR]]
        json.dump({"versions": versions, "answers": answers}, sys.stdout)


main()
