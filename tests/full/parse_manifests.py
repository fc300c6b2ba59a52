"""What the tools that manifests are for make of them: [{"format", "text"}, ...] on stdin, [[key, value], ...] each on stdout.

Needs pyyaml, jsonpatch, ansible-core, python-hcl2, yamale, openstacksdk, python-openstackclient.
"""

import json
import subprocess
import sys

import yaml

# The rules of openstack-image-manager's etc/schema.yaml, in our words.
SCHEMA = """
images: list(include('image'), min=1)
---
image:
  enable: bool()
  format: enum('aki', 'ari', 'ami', 'raw', 'iso', 'vhd', 'vdi', 'qcow2', 'vmdk')
  login: str()
  meta: include('meta')
  min_disk: int(min=0)
  min_ram: int(min=0)
  multi: bool()
  name: str()
  status: enum('active', 'deactivated')
  tags: list(str())
  versions: list(include('version'))
  visibility: enum('public', 'private', 'community', 'shared')
---
meta:
  architecture: enum('x86_64', 'aarch64', 'risc-v')
  hotfix_hours: int(min=0, required=False)
  hw_disk_bus: enum('virtio', 'scsi', None)
  hw_firmware_type: enum('uefi', None, required=False)
  hw_machine_type: enum('pc', 'q35', 'virt', None, required=False)
  hw_rng_model: enum('virtio', None, required=False)
  hw_scsi_model: enum('virtio-scsi', required=False)
  hw_vif_multiqueue_enabled: bool(required=False)
  hw_watchdog_action: enum('disabled', 'reset', 'poweroff', 'pause', 'none', required=False)
  hypervisor_type: enum('hyperv', 'ironic', 'lxc', 'qemu', 'uml', 'vmware', 'xen')
  image_description: str(required=False)
  os_distro: enum('arch', 'centos', 'cirros', 'debian', 'fedora', 'freebsd', 'gentoo', 'opensuse', 'rhel', 'rocky', 'ubuntu')
  os_version: str(required=False)
  os_purpose: enum('generic', 'minimal', 'k8snode', 'gpu', 'network', 'custom')
  patchlevel: str(required=False)
  provided_until: any(enum('none'), day())
  replace_frequency: enum('yearly', 'quarterly', 'monthly', 'weekly', 'daily', 'critical_bug', 'never')
  uuid_validity: any(enum('none', 'forever', 'notice'), str(starts_with='last-'), day())
---
version:
  build_date: any(day(), timestamp())
  checksum: regex(r'\\w+:([a-f0-9]{32}|[a-f0-9]{40}|[a-f0-9]{64}|[a-f0-9]{128})$', required=False)
  url: regex(r'^(http|ftp)s?:\\/\\/\\w+.*')
  version: str()
"""


def shell(text):
    script = 'openstack() { printf "%s\\0" "$@"; }\nVOLUME=v\n' + text
    words = subprocess.run(["bash", "-c", script], check=True, capture_output=True).stdout.decode().split("\0")[:-1]
    from openstackclient.image.v2 import image
    from openstackclient.volume.v3 import volume

    command = {"image create": image.CreateImage, "image set": image.SetImage, "volume set": volume.SetVolume}[" ".join(words[:2])]
    parsed = command(None, None).get_parser("openstack").parse_args(words[2:])
    return getattr(parsed, "image_properties" if command is volume.SetVolume else "properties", None) or getattr(parsed, "image_property", {})


def glance(text):
    from openstack.image.v2.image import Image

    image = Image.new(**json.loads(text))
    body = image._prepare_request(requires_id=False).body
    fields = {"name", "disk_format", "container_format", "min_disk", "min_ram"}
    return {key: value for key, value in body.items() if key not in fields}


def patch(text):
    import jsonpatch

    image = jsonpatch.apply_patch({"min_disk": 0, "min_ram": 0}, text)
    return {key: value for key, value in image.items() if key not in ("min_disk", "min_ram")}


def unquoted(value):
    """python-hcl2 keeps the quotes and the escapes of strings, which are those of JSON but for two."""
    if not value.startswith('"'):
        return value
    import re

    value = re.sub(r"\\U([0-9a-f]{8})", lambda match: json.dumps(chr(int(match[1], 16)))[1:-1], value)
    value = value.replace("$${", "\\u0024{").replace("%%{", "\\u0025{")
    return json.loads(value)


def hcl(text, place):
    import hcl2

    tree = hcl2.loads(text)
    blocks = tree.get("resource") or tree.get("source")
    body = blocks[0]
    for _ in range(2):
        body = next(value for key, value in body.items() if not key.startswith("__"))
    rows = body.get(place, {})
    rows = rows[0] if isinstance(rows, list) else rows
    return {unquoted(key): unquoted(value) for key, value in rows.items() if not key.startswith("__")}


def ansible(text):
    from ansible.parsing.dataloader import DataLoader
    from ansible.template import Templar

    loader = DataLoader()
    task = loader.load(text)[0]["openstack.cloud.image"]
    return dict(Templar(loader=loader, variables={}).template(task.get("properties", {})))


def catalogue(text):
    import yamale

    yamale.validate(yamale.make_schema(content=SCHEMA), yamale.make_data(content=text))
    # main.py of the manager: str(value).
    return {key: str(value) for key, value in yaml.safe_load(text)["images"][0]["meta"].items()}


def heat(text):
    properties = yaml.safe_load(text)["resources"]["image_1"]["properties"]
    own = {"architecture", "kernel_id", "os_distro", "os_version", "ramdisk_id"}
    return {key: properties[key] for key in own & properties.keys()} | properties.get("extra_properties", {})


READ = {
    "openstack": shell,
    "openstack-set": shell,
    "cinder": shell,
    "json": glance,
    "json-patch": patch,
    "terraform": lambda text: hcl(text, "properties"),
    "packer": lambda text: hcl(text, "metadata"),
    "tfvars": lambda text: json.loads(text)["image_properties"],
    "ansible": ansible,
    "image-manager": catalogue,
    "zuul": lambda text: yaml.safe_load(text)[0]["provider"]["images"][0].get("tags", {}),
    "nodepool": lambda text: yaml.safe_load(text)["providers"][0]["diskimages"][0].get("meta", {}),
    "heat": heat,
}

answers = []
for row in json.load(sys.stdin):
    try:
        answers.append(sorted(READ[row["format"]](row["text"]).items()))
    except BaseException as error:  # argparse exits
        answers.append(f"{type(error).__name__}: {error}")
json.dump(answers, sys.stdout)
