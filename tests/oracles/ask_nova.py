#!/usr/bin/env python3
"""Nova's own answers. Standard input: one JSON object with lists of cases; standard output: one with lists of answers.

properties  [key, value]                        ImageMetaProps.from_dict({key: value}): "field=value ...", "-" or "!"
specs       [name, value]                       extra_specs.validators.validate: "ok" or "!"
pairs       {vcpus, memory, specs, properties}  functions of nova.virt.hardware: {function: exception}
guests      the same                            LibvirtDriver._get_guest_config: exception, or ""
domains     the same, with config_drive         the same: exception, or the domain XML

Needs nova==34.0.0, and for guests and domains what its unit tests import: ddt oslotest requests-mock testtools wsgi-intercept
testscenarios testresources."""
import json
import re
import sys
import unittest
import warnings

warnings.filterwarnings("ignore")
cases = json.load(sys.stdin)
sys.argv = sys.argv[:1]

from nova import exception, objects  # noqa: E402

objects.register_all()

from nova.api.validation.extra_specs import validators  # noqa: E402
from nova.objects import ImageMeta, ImageMetaProps  # noqa: E402
from nova.virt import hardware  # noqa: E402


def shown(value):
    if isinstance(value, list):
        parts = [hardware.format_cpu_spec(part) if isinstance(part, set) else str(part) for part in value]
        return "[" + ";".join(parts) + "]"
    return str(value)


def of_property(case):
    key, value = case
    try:
        props = ImageMetaProps.from_dict({key: value})
    except Exception:
        return "!"
    fields = sorted(field for field in props.fields if props.obj_attr_is_set(field))
    return " ".join(f"{field}={shown(getattr(props, field))}" for field in fields) or "-"


def of_spec(case):
    try:
        validators.validate(*case)
    except exception.ValidationError:
        return "!"
    return "ok"


FLAVOR_IMAGE = """get_packed_virtqueue_constraint get_mem_encryption_constraint get_pmu_constraint
get_number_of_serial_ports get_realtime_cpu_constraint get_cpu_topology_constraints get_vif_multiqueue_constraint
numa_get_constraints get_pci_numa_policy_constraint get_secure_boot_constraint get_vtpm_constraint
get_maxphysaddr_mode get_ephemeral_encryption_constraint get_ephemeral_encryption_format get_sound_model
get_usb_model get_redirected_usb_ports""".split()


def flavor_and_image(case):
    flavor = objects.Flavor(name="f", vcpus=case["vcpus"], memory_mb=case["memory"], root_gb=1,
                            extra_specs=dict(case["specs"]))
    image = ImageMeta.from_dict({"name": "i", "id": "155d900f-4e14-4e4c-a73d-069cbf4541e6",
                                 "disk_format": "qcow2", "properties": dict(case["properties"])})
    return flavor, image


def of_pair(case):
    flavor, image = flavor_and_image(case)
    refused = {}
    for name in FLAVOR_IMAGE:
        try:
            getattr(hardware, name)(flavor, image)
        except Exception as error:
            refused[name] = type(error).__name__
    return refused


MACHINES = ["pc-i440fx-7.2", "pc-q35-7.2", "pc-i440fx-9.2", "pc-q35-9.2"]


def the_same_at_each_run(xml, instances_path):
    xml = re.sub("(?s)<metadata>.*?</metadata>", "", xml)
    xml = re.sub(r">\s+<", "><", xml).strip().replace(instances_path, "/var/lib/nova/instances")
    xml = re.sub(r"\bnic[0-9a-f-]{11}", "tap0", xml)
    seen = {}
    number = lambda found: seen.setdefault(found[0], f"00000000-0000-4000-8000-{len(seen) + 1:012}")
    return re.sub(r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", number, xml)


def of_domains(domains):
    if not domains:
        return []
    from nova.tests.fixtures import libvirt_data
    from nova.tests.unit.virt.libvirt import test_driver
    from nova.virt import fake
    from nova.virt.libvirt import blockinfo, driver

    # The host of the tests has a QEMU of 2017.
    newer = "".join(f"<machine maxCpus='288'>{machine}</machine>" for machine in MACHINES)
    guest = libvirt_data.CAPABILITIES_GUEST
    guest["x86_64"] = guest["x86_64"].replace("<machine", newer + "<machine", 1)

    class Guest(test_driver.LibvirtConnTestCase):
        case = None

        def runTest(self):
            # What makes a disk of a directory of Nova's pass discards on has no default.
            self.flags(virt_type="kvm", hw_disk_discard="unmap", group="libvirt")
            flavor, image = flavor_and_image(self.case)
            instance = objects.Instance(**self.test_instance)
            instance.flavor.vcpus = instance.vcpus = flavor.vcpus
            instance.flavor.memory_mb = instance.memory_mb = flavor.memory_mb
            # The test's flavor has a second disk.
            instance.flavor.ephemeral_gb = instance.ephemeral_gb = 0
            instance.flavor.extra_specs = flavor.extra_specs
            instance.os_type = self.case["properties"].get("os_type")
            instance.config_drive = "True" if self.case.get("config_drive") else ""
            instance.system_metadata = {f"image_{key}": value for key, value in self.case["properties"].items()}
            instance.system_metadata["vtpm_secret_uuid"] = image.id
            try:
                made = driver.LibvirtDriver(fake.FakeVirtAPI(), True)
                made._host._supports_uefi = True
                disks = blockinfo.get_disk_info("kvm", instance, image)
                xml = made._get_guest_config(instance, test_driver._fake_network_info(self), image, disks,
                                             context=self.context).to_xml()
                xml = xml.decode() if isinstance(xml, bytes) else xml
                xml = re.sub("(?s)<metadata>.*?</metadata>", "", xml)
                answer = the_same_at_each_run(xml, driver.CONF.instances_path)
            except Exception as error:
                answer = type(error).__name__
            answers.append(answer)

    # The test may run as a copy of itself (testscenarios): the answers stand outside of it.
    answers = []
    for count, case in enumerate(domains, 1):
        guest = Guest()
        guest.case = case
        result = unittest.TestResult()
        guest.run(result)
        if len(answers) != count:
            sys.exit("the harness failed: " + "".join(text for _, text in result.errors + result.failures)[-2000:])
    return answers


def of_guests(guests):
    return ["" if answer.startswith("<") else answer for answer in of_domains(guests)]


answers = {
    "properties": [of_property(case) for case in cases.get("properties", [])],
    "specs": [of_spec(case) for case in cases.get("specs", [])],
    "pairs": [of_pair(case) for case in cases.get("pairs", [])],
    "guests": of_guests(cases.get("guests", [])),
    "domains": of_domains(cases.get("domains", [])),
}
json.dump(answers, sys.__stdout__)
