//! `bootworthy lint`: planted mistakes are found, each by its rule and no other; good manifests are left alone.

use crate::common::{bootworthy, with_input};
use bootworthy::manifest::{self, lint};
use serde_json::{Map, Value, json};

/// `a=b c=d` as the body of `POST /v2/images`; `min_disk` and `min_ram` are numbers.
fn body(words: &str) -> String {
    let mut image = Map::new();
    for (key, value) in words.split(' ').filter_map(|word| word.split_once('=')) {
        let number = value.parse::<i64>().ok().filter(|_| key.starts_with("min_")).map(Value::from);
        image.insert(key.to_owned(), number.unwrap_or_else(|| Value::from(value)));
    }
    Value::from(image).to_string()
}

/// `vcpus=2 hw:cpu_policy=shared` as a flavor.
fn flavor(words: &str) -> Option<manifest::Flavor> {
    (!words.is_empty()).then(|| manifest::read_flavor("flavor.json", &body(words)).unwrap())
}

/// The rules that found something, a rule with a cross for each further place.
fn found(text: &str, flavor: Option<&manifest::Flavor>) -> Vec<String> {
    let document = manifest::read("image.json", text, None).unwrap();
    let findings = lint::lint(&document, flavor);
    findings.iter().map(|finding| format!("{}{}", finding.id, "+".repeat(finding.evidence.len() - 1))).collect()
}

/// Properties, flavor, and the rules that must find something: all of them and no other.
const PLANTED: &[(&str, &str, &[&str])] = &[
    // Names.
    ("hw_disk_buss=scsi", "", &["name-misspelt"]),
    ("hw_dsik_bus=virtio", "", &["name-misspelt"]),
    ("HW_DISK_BUS=virtio", "", &["name-misspelt"]),
    ("hw-disk-bus=virtio", "", &["name-misspelt"]),
    ("hw:disk_bus=virtio", "", &["name-misspelt"]),
    ("hw:watchdog_action=reset", "", &["name-misspelt"]),
    ("os:secure_boot=required", "", &["name-misspelt"]),
    ("hw_qemu_guest_agents=yes", "", &["name-misspelt"]),
    ("architeture=x86_64", "", &["name-misspelt"]),
    ("os_distr=debian", "", &["name-misspelt"]),
    ("hw_vif_multiqueue=true", "", &["name-unread"]),
    ("hw_scsi_modle=virtio-scsi hw_disk_bus=scsi", "", &["name-misspelt", "scsi-without-model"]),
    ("traits:CUSTOM_X=required", "", &["name-misspelt"]),
    ("hw_magic=on", "", &["name-unread"]),
    ("img_colour=blue", "", &["name-unread"]),
    ("os_glance_x=1", "", &["name-reserved"]),
    ("checksum=x", "", &["name-reserved"]),
    ("size=1 status=active", "", &["name-reserved+"]),
    ("location=file:///x", "", &["name-reserved"]),
    ("architecture=i686 hw_architecture=x86_64", "", &["two-names"]),
    ("trait:HW_CPU_X86_VMXX=required", "", &["trait-not-read"]),
    ("trait:HW_CPU_X86_VMX=forbidden", "", &["trait-not-read"]),
    // Values.
    ("hw_disk_bus=SCSI hw_scsi_model=virtio-scsi", "", &["value-refused", "property-idle"]),
    ("hw_disk_bus=virtio-scsi", "", &["value-refused"]),
    ("hw_firmware_type=UEFI", "", &["value-refused"]),
    ("hw_firmware_type=efi", "", &["value-refused"]),
    ("hw_watchdog_action=shutdown", "", &["value-refused"]),
    ("hw_watchdog_action=dump", "", &["value-refused"]),
    ("hw_pointer_model=ps2mouse", "", &["value-refused"]),
    ("img_config_drive=true", "", &["value-refused"]),
    ("architecture=x86-64", "", &["value-refused"]),
    ("architecture=arm64", "", &["value-refused"]),
    ("hypervisor_type=hyper-v", "", &["value-refused"]),
    ("os_type=bsd", "", &["value-refused"]),
    ("hw_vif_model=virtio-net", "", &["value-refused"]),
    ("hw_video_model=virtio-gpu", "", &["value-refused"]),
    ("hw_cpu_policy=pinned", "", &["value-refused"]),
    ("hw_tpm_version=2", "", &["value-refused"]),
    ("os_secure_boot=yes hw_firmware_type=uefi", "", &["value-refused"]),
    ("hw_video_ram=16M", "", &["value-refused"]),
    ("hw_cpu_cores=two", "", &["value-refused"]),
    ("hypervisor_version_requires=2.6", "", &["value-refused"]),
    ("hw_numa_nodes=1 hw_numa_cpus.0=3-1 hw_numa_mem.0=512", "", &["value-refused", "image-contradiction"]),
    ("hw_qemu_guest_agent=enabled", "", &["value-silently-false"]),
    ("hw_vif_multiqueue_enabled=ture", "", &["value-silently-false"]),
    ("hw_pmu=None", "", &["value-silently-false"]),
    ("os_distro=Debian", "", &["os-distro-unusual"]),
    ("os_distro=debian12", "", &["os-distro-unusual"]),
    ("name=AlmaLinux-9 os_distro=centos", "", &["os-distro-differs"]),
    ("disk_format=QCOW2", "", &["format-refused"]),
    ("disk_format=img container_format=tar", "", &["format-refused+"]),
    ("min_disk=-1", "", &["minimum-refused"]),
    ("min_disk=10G min_ram=512", "", &["minimum-refused"]),
    // What does not go together.
    ("hw_disk_bus=scsi", "", &["scsi-without-model"]),
    ("hw_scsi_model=virtio-scsi", "", &["property-idle"]),
    ("hw_scsi_model=virtio-scsi hw_disk_bus=virtio", "", &["property-idle"]),
    ("hw_disk_bus=ide hw_machine_type=q35", "", &["image-contradiction"]),
    ("hw_cdrom_bus=ide hw_machine_type=pc-q35-7.2", "", &["image-contradiction"]),
    ("hw_disk_bus=xen", "", &["host-refuses"]),
    ("hw_vif_model=sriov", "", &["host-refuses"]),
    ("hw_video_model=gop", "", &["host-refuses"]),
    ("hw_serial_port_count=4", "", &["host-refuses"]),
    ("os_secure_boot=required", "", &["property-idle"]),
    ("os_secure_boot=required hw_firmware_type=bios", "", &["property-idle"]),
    ("os_secure_boot=required hw_firmware_type=uefi hw_machine_type=pc", "", &["image-contradiction"]),
    ("hw_firmware_stateless=true", "", &["property-idle"]),
    ("hw_tpm_model=tpm-crb", "", &["property-idle"]),
    ("hw_tpm_model=tpm-crb hw_tpm_version=1.2", "", &["image-contradiction"]),
    ("hw_mem_encryption=true", "", &["image-contradiction"]),
    ("hw_mem_encryption=true hw_firmware_type=uefi hw_machine_type=pc", "", &["image-contradiction"]),
    ("hw_mem_encryption=true hw_firmware_type=uefi hw_mem_encryption_model=amd-sev-snp", "", &["image-contradiction"]),
    ("hw_mem_encryption_model=amd-sev", "", &["property-idle"]),
    ("hw_viommu_model=intel", "", &["host-refuses"]),
    ("hw_viommu_model=intel hw_machine_type=pc", "", &["image-contradiction"]),
    ("hw_vif_multiqueue_enabled=true hw_vif_model=e1000", "", &["property-idle"]),
    ("os_require_quiesce=yes", "", &["quiesce-without-agent"]),
    ("os_admin_user=debian", "", &["property-idle"]),
    ("os_command_line=quiet", "", &["property-idle"]),
    ("ramdisk_id=155d900f-4e14-4e4c-a73d-069cbf4541e6", "", &["property-idle"]),
    ("hw_maxphysaddr_bits=42", "", &["property-idle"]),
    ("hw_emulation_architecture=aarch64", "", &["emulation-without-machine"]),
    ("hw_redirected_usb_ports=16", "", &["image-contradiction"]),
    ("hw_numa_nodes=2 hw_numa_cpus.0=0 hw_numa_mem.0=512", "", &["image-contradiction"]),
    ("hw_numa_nodes=1 hw_numa_cpus.0=0", "", &["image-contradiction"]),
    ("hw_numa_nodes=0", "", &["image-contradiction"]),
    ("hw_numa_nodes=1 hw_numa_cpus.1=0 hw_numa_mem.1=512", "", &["property-idle+"]),
    ("hw_numa_cpus.0=0 hw_numa_mem.0=512", "", &["property-idle+"]),
    ("hw_locked_memory=true", "", &["needs-flavor"]),
    ("hw_mem_page_size=large", "", &["needs-flavor"]),
    ("hw_video_ram=16", "", &["needs-flavor"]),
    ("hw_cpu_thread_policy=isolate", "", &["needs-flavor"]),
    ("img_signature=abc", "", &["property-idle"]),
    // What does nothing.
    ("hw_rng_model=virtio", "", &["property-inert"]),
    ("hw_cpu_mode=host-model", "", &["property-elsewhere"]),
    ("hw_emulator_threads_policy=share", "", &["property-elsewhere"]),
    ("hw_auto_disk_config=true", "", &["property-inert"]),
    ("hw_disk_type=thin", "", &["property-inert"]),
    ("xenapi_use_agent=true", "", &["property-inert"]),
    // The flavor.
    ("", "hw:cpu_policy=pinned", &["spec-refused", "flavor-contradiction"]),
    ("", "hw:qemu_guest_agent=yes", &["spec-refused"]),
    ("", "hw:boot_menu=maybe", &["spec-refused"]),
    ("", "hw:cpu_polcy=shared", &["spec-refused"]),
    ("", "hw_watchdog_action=reset", &["spec-idle"]),
    ("", "hw_disk_bus=scsi", &["spec-idle"]),
    ("", "os_secure_boot=required", &["spec-idle"]),
    ("", "hw-rng:allowed=true", &["spec-misspelt"]),
    ("", "hw:mem_page_size=2M", &["flavor-contradiction"]),
    ("", "vcpus=2 hw:cpu_policy=mixed", &["flavor-contradiction"]),
    ("", "vcpus=2 hw:cpu_thread_policy=isolate", &["flavor-contradiction"]),
    ("", "vcpus=3 hw:numa_nodes=2", &["flavor-contradiction"]),
    ("hw_cpu_policy=dedicated", "vcpus=2 hw:cpu_policy=shared", &["flavor-conflict"]),
    ("hw_cpu_policy=shared", "vcpus=2 hw:cpu_policy=dedicated", &["flavor-overridden"]),
    (
        "hw_cpu_thread_policy=require",
        "vcpus=2 hw:cpu_policy=dedicated hw:cpu_thread_policy=isolate",
        &["flavor-conflict"],
    ),
    ("hw_mem_page_size=large", "hw:mem_page_size=small", &["flavor-conflict"]),
    ("hw_mem_page_size=large", "vcpus=2 ram=512", &["flavor-conflict"]),
    ("hw_vif_multiqueue_enabled=true", "vcpus=2 hw:vif_multiqueue_enabled=false", &["flavor-conflict"]),
    ("hw_vif_multiqueue_enabled=true", "vcpus=1", &["flavor-overridden"]),
    ("hw_numa_nodes=2", "vcpus=2 hw:numa_nodes=2", &["flavor-conflict"]),
    ("hw_video_ram=32", "hw_video:ram_max_mb=16", &["flavor-conflict"]),
    ("hw_serial_port_count=2", "hw:serial_port_count=1", &["flavor-conflict"]),
    ("os_secure_boot=optional hw_firmware_type=uefi", "os:secure_boot=required", &["flavor-conflict"]),
    ("hw_watchdog_action=disabled", "hw:watchdog_action=reset", &["flavor-overridden"]),
    ("hw_locked_memory=false", "hw:locked_memory=true hw:mem_page_size=large", &["flavor-conflict"]),
    ("hw_disk_bus=virtio", "hw:mem_encryption=true", &["flavor-conflict"]),
    ("hw_cpu_sockets=4", "vcpus=4 hw:cpu_max_sockets=2", &["flavor-conflict"]),
    ("hw_pmu=false", "hw:pmu=true", &["flavor-conflict"]),
    ("min_disk=20 min_ram=2048", "disk=10 ram=1024", &["flavor-too-small+"]),
];

const GOOD: &[(&str, &str)] = &[
    ("", ""),
    ("name=debian disk_format=qcow2 container_format=bare min_disk=3 min_ram=512", ""),
    ("hw_disk_bus=scsi hw_scsi_model=virtio-scsi", ""),
    ("hw_disk_bus=virtio", ""),
    ("hw_disk_bus=virtio hw_cdrom_bus=scsi hw_scsi_model=virtio-scsi", ""),
    ("hw_disk_bus=sata hw_machine_type=q35", ""),
    ("hw_disk_bus=ide hw_machine_type=pc", ""),
    ("hw_qemu_guest_agent=yes os_require_quiesce=yes os_admin_user=debian", ""),
    ("hw_qemu_guest_agent=True", ""),
    ("hw_vif_multiqueue_enabled=true hw_vif_model=virtio", ""),
    ("hw_watchdog_action=reset", ""),
    ("os_type=linux os_distro=debian os_version=13 architecture=x86_64", ""),
    ("os_type=Linux architecture=AMD64", ""),
    ("name=AlmaLinux-9 os_distro=almalinux", ""),
    ("name=my-image os_distro=centos", ""),
    ("hw_firmware_type=uefi os_secure_boot=required hw_machine_type=q35", ""),
    ("hw_firmware_type=uefi os_secure_boot=optional", ""),
    ("hw_firmware_type=bios os_secure_boot=disabled", ""),
    ("hw_mem_encryption=true hw_firmware_type=uefi hw_machine_type=q35", ""),
    ("hw_tpm_version=2.0 hw_tpm_model=tpm-crb", ""),
    ("hw_tpm_version=1.2", ""),
    ("hw_viommu_model=virtio hw_machine_type=q35", ""),
    ("hw_viommu_model=smmuv3 architecture=aarch64", ""),
    ("hw_machine_type=virt architecture=aarch64 hw_firmware_type=uefi", ""),
    ("hw_numa_nodes=2 hw_numa_cpus.0=0-1 hw_numa_cpus.1=2-3 hw_numa_mem.0=512 hw_numa_mem.1=512", "vcpus=4 ram=1024"),
    ("hw_cpu_policy=dedicated hw_cpu_thread_policy=isolate", ""),
    ("hw_disk_bus=lxc hypervisor_type=lxc", ""),
    ("os_purpose=generic replace_frequency=monthly uuid_validity=last-3 provided_until=none image_source=private", ""),
    ("build_commit=abc team=storage version=3 os_family=debian com.example.key=x", ""),
    ("trait:HW_CPU_X86_VMX=required trait:CUSTOM_GOLD=required", ""),
    ("hw_mem_page_size=2MB", "vcpus=2 ram=1024 hw:mem_page_size=any"),
    ("hw_locked_memory=true", "hw:mem_page_size=large"),
    ("hw_video_ram=16", "hw_video:ram_max_mb=64"),
    ("hw_vif_multiqueue_enabled=yes", "vcpus=4 hw:vif_multiqueue_enabled=true"),
    ("hw_cpu_thread_policy=require", "vcpus=2 hw:cpu_policy=dedicated"),
    ("min_disk=10 min_ram=512", "disk=10 ram=512 vcpus=1"),
    ("min_disk=10", "disk=0"),
    ("hw_watchdog_action=reset", "hw:watchdog_action=reset"),
    ("kernel_id=155d900f-4e14-4e4c-a73d-069cbf4541e6 os_command_line=quiet", ""),
    ("", "vcpus=2 aggregate_instance_extra_specs:ssd=true trait:CUSTOM_X=forbidden resources:VGPU=1 ssd=true"),
];

#[test]
fn planted_mistakes_are_found_and_nothing_else() {
    assert!(PLANTED.len() >= 80);
    let differ = PLANTED.iter().filter_map(|(image, specs, expected)| {
        let found = found(&body(image), flavor(specs).as_ref());
        (found != *expected).then(|| format!("{image:?} {specs:?}\n  expected {expected:?}\n  found    {found:?}"))
    });
    let differ: Vec<String> = differ.collect();
    assert!(differ.is_empty(), "{} of {}:\n{}", differ.len(), PLANTED.len(), differ.join("\n"));
}

#[test]
fn good_manifests_are_left_alone() {
    assert!(GOOD.len() >= 25);
    let told = GOOD.iter().filter_map(|(image, specs)| {
        let found = found(&body(image), flavor(specs).as_ref());
        (!found.is_empty()).then(|| format!("{image:?} {specs:?}: {found:?}"))
    });
    let told: Vec<String> = told.collect();
    assert!(told.is_empty(), "{}", told.join("\n"));
}

/// What the words of [`body`] cannot say.
#[test]
fn shapes_of_json() {
    let many: Map<String, Value> = (0..129).map(|index| (format!("k{index}"), Value::from("v"))).collect();
    for (text, expected) in [
        (r#"{"hw_pmu": true}"#.to_owned(), vec!["value-typed"]),
        (r#"{"os_version": 13}"#.to_owned(), vec!["value-typed"]),
        (r#"{"os_version": null}"#.to_owned(), vec!["value-typed"]),
        (r#"{"team": ["storage"]}"#.to_owned(), vec!["value-typed"]),
        (r#"{"hw_disk_bus": "virtio", "hw_disk_bus": "virtio"}"#.to_owned(), vec!["name-repeated"]),
        (r#"{"hw_disk_bus": "virtio "}"#.to_owned(), vec!["value-refused"]),
        (r#"{"hw_pmu": " true", "os_distro": "debian "}"#.to_owned(), vec!["value-blank+"]),
        (r#"{"hw_disk_bus ": "virtio"}"#.to_owned(), vec!["name-misspelt"]),
        (json!({"team": "x".repeat(300)}).to_string(), vec![]),
        (json!({"kernel_id": "x", "os_command_line": "x".repeat(256)}).to_string(), vec!["value-too-long"]),
        (json!({"name": "x".repeat(256)}).to_string(), vec!["name-too-long"]),
        (json!({"x".repeat(256): "y"}).to_string(), vec!["name-too-long"]),
        (json!({"team": "\u{1f600}"}).to_string(), vec!["text-not-stored"]),
        (json!({"team": "caf\u{e9} \u{65e5}"}).to_string(), vec![]),
        (r#"{"min_disk": "3"}"#.to_owned(), vec!["minimum-refused"]),
        (r#"{"min_ram": 2147483648}"#.to_owned(), vec!["minimum-refused"]),
        (Value::from(many).to_string(), vec!["too-many-properties"]),
        // Shown by the client: types are those of the display, and Glance's own fields stand among the properties.
        (
            r#"{"checksum":"x","properties":{"hw_pmu":true,"os_hidden":false,"os_hash_algo":"sha512"}}"#.to_owned(),
            vec![],
        ),
        (r#"{"self":"/v2/images/x","checksum":"x","status":"active","hw_disk_bus":"virtio"}"#.to_owned(), vec![]),
        (
            r#"{"images":[{"name":"a","hw_disk_bus":"SATA"},{"name":"b","hw_disk_bus":"IDE"}]}"#.to_owned(),
            vec!["value-refused+"],
        ),
    ] {
        assert_eq!(found(&text, None), expected, "{text}");
    }
}

#[test]
fn suggestions_can_be_copied() {
    for (image, expected) in [
        ("hw_disk_bus=SATA", "hw_disk_bus=sata"),
        ("hw_disk_bus=virtoi", "hw_disk_bus=virtio"),
        ("architecture=x86-64", "architecture=x86_64"),
        ("disk_format=QCOW2", "disk_format=qcow2"),
        ("os_distro=debian12", "os_distro=debian"),
        ("hw_cpu_mode=custom", "use [libvirt]cpu_mode of nova.conf"),
    ] {
        let document = manifest::read("image.json", &body(image), None).unwrap();
        let findings = lint::lint(&document, None);
        assert_eq!(findings[0].evidence[0].fix.as_deref(), Some(expected), "{image}");
    }
}

/// Shortened from a public catalogue (osism/openstack-image-manager, etc/images): the reader's own keys, nested
/// versions, numbers and truth values without quotes.
const CATALOGUE: &str = r#"---
images:
  - name: AlmaLinux 9
    enable: true
    shortname: almalinux-9
    format: qcow2
    login: almalinux
    min_disk: 10
    min_ram: 512
    status: active
    visibility: public
    multi: true
    meta:
      architecture: x86_64
      hw_disk_bus: scsi
      hw_rng_model: virtio
      hw_scsi_model: virtio-scsi
      hw_watchdog_action: reset
      hypervisor_type: qemu
      os_distro: centos
      os_version: '9'
      os_purpose: generic
      replace_frequency: quarterly
      uuid_validity: last-3
      provided_until: none
    tags: []
    versions:
      - version: '20250522'
        url: https://repo.almalinux.org/almalinux/9/cloud/x86_64/images/AlmaLinux-9-GenericCloud-9.6-20250522.x86_64.qcow2
        checksum: "sha256:0"
        build_date: 2025-05-22
  - name: Garden Linux
    enable: false
    format: qcow2
    login: admin
    min_disk: 10
    min_ram: 512
    meta:
      architecture: x86_64
      hw_disk_bus: virtio
      hw_rng_model: virtio
      hw_scsi_model: virtio-scsi
      hypervisor_type: qemu
      os_distro: debian
      os_purpose: k8snode
    versions:
      - version: '1592.14'
        meta:
          os_version: 1592.10
        build_date: 2025-09-17
  - name: Debian 13
    format: qcow2
    min_disk: 8
    min_ram: 512
    meta:
      architecture: x86_64
      hw_disk_bus: scsi
      hw_scsi_model: virtio-scsi
      hw_vif_multiqueue_enabled: true
      hw_watchdog_action: reset
      hypervisor_type: qemu
      os_distro: debian
      os_version: '13'
"#;

#[test]
fn entries_of_a_real_catalogue() {
    let document = manifest::read("images.yml", CATALOGUE, None).unwrap();
    assert_eq!((document.format, document.images.len()), ("image-manager", 3));
    let findings = lint::lint(&document, None);
    let told = findings.iter().flat_map(|finding| {
        finding.evidence.iter().map(|place| (finding.id, place.entry.as_deref().unwrap(), place.line.unwrap()))
    });
    assert_eq!(
        told.collect::<Vec<_>>(),
        [
            ("version-without-quotes", "Garden Linux", 49),
            ("os-distro-differs", "AlmaLinux 9", 20),
            ("property-idle", "Garden Linux", 42),
            ("property-inert", "AlmaLinux 9", 16),
            ("property-inert", "Garden Linux", 41),
        ]
    );
    // The schema has no word for it: nothing that it would refuse is advised.
    let differs = findings.iter().find(|finding| finding.id == "os-distro-differs").unwrap();
    assert_eq!(differs.evidence[0].expected, None);
    assert!(differs.evidence[0].found.contains("no word for it"), "{}", differs.evidence[0].found);
}

/// A slip in a name underlines the name.
#[test]
fn what_is_meant_is_underlined() {
    for (text, mark, column) in [
        ("{\n  \"hw_disk_buss\": \"scsi\"\n}", "\"hw_disk_buss\"", 3),
        ("{\n  \"hw_magic\": \"hw_magic\"\n}", "hw_magic", 4),
        ("{\n  \"checksum\": \"x\"\n}", "\"checksum\"", 3),
        ("{\n  \"trait:NOTHING\": \"required\"\n}", "\"trait:NOTHING\"", 3),
        ("{\n  \"hw_disk_bus\": \"SATA\"\n}", "\"SATA\"", 18),
        ("openstack image create --property hw_disk_buss=scsi x", "hw_disk_buss", 35),
    ] {
        let findings = lint::lint(&manifest::read("m", text, None).unwrap(), None);
        let place = &findings[0].evidence[0];
        assert_eq!((place.mark.as_deref(), place.column()), (Some(mark), Some(column)), "{text}");
    }
}

/// Severities, exceptions and where they stand, as for checks.
#[test]
fn the_configuration_counts() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("m.json", r#"{"hw_disk_buss": "scsi", "hw_rng_model": "virtio"}"#);
    write("n.json", r#"{"hw_disk_buss": "scsi"}"#);
    let run = |args: &[&str]| {
        let output = crate::common::command().current_dir(folder.path()).arg("lint").args(args).output().unwrap();
        (
            output.status.code().unwrap(),
            String::from_utf8(output.stdout).unwrap() + std::str::from_utf8(&output.stderr).unwrap(),
        )
    };
    assert_eq!(run(&["m.json"]).0, 1);
    let ignore = "[[ignore]]\ncheck = \"name-misspelt\"\nimage = \"m.*\"\nreason = \"ours\"\nexpires = 2026-12-31\n";
    for (config, args, code, part) in [
        ("", &["m.json"][..], 1, "configuration: bootworthy.toml\n"),
        ("[severity]\nname-misspelt = \"warning\"\n", &["m.json"], 0, "warning[name-misspelt]"),
        ("[severity]\nname-misspelt = \"off\"\n", &["m.json"], 0, "m.json: 1 note\n"),
        ("fail_on = \"note\"\n[severity]\nname-misspelt = \"off\"\n", &["m.json"], 1, "m.json: 1 note\n"),
        (ignore, &["m.json", "--today=2026-12-31"], 0, "m.json: 1 note, 1 ignored\n"),
        (ignore, &["m.json", "--today=2027-01-01"], 1, "has expired and counts no more"),
        (ignore, &["n.json", "--today=2026-12-31"], 1, "n.json: 1 error\n"),
        (ignore, &["m.json", "--today=2026-12-31", "--no-config"], 1, "m.json: 1 error, 1 note\n"),
        ("", &["m.json", "--ignore=name-misspelt"], 0, "1 ignored"),
        ("", &["m.json", "--severity=name-misspelt=note"], 0, "m.json: 2 notes\n"),
        ("", &["m.json", "--severity=name-misspelled=note"], 2, "did you mean name-misspelt?"),
        ("[severity]\nname-misspelled = \"off\"\n", &["m.json"], 2, "did you mean name-misspelt?"),
        // What is not looked at without an image is not said to hold.
        ("[[ignore]]\ncheck = \"property-unclaimed\"\nreason = \"r\"\n", &["n.json"], 1, "n.json: 1 error\n"),
    ] {
        write("bootworthy.toml", config);
        let (found, text) = run(args);
        assert!(found == code && text.contains(part), "{config:?} {args:?}: exit {found}, {part:?} is not in\n{text}");
    }
    write("bootworthy.toml", ignore);
    let (_, text) = run(&["m.json", "--today=2026-12-31", "--format=json"]);
    let report: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&report["summary"]["ignored"], &report["config"]), (&1.into(), &"bootworthy.toml".into()));
    assert_eq!(report["checks"][0]["ignored"]["place"], "bootworthy.toml:1");
}

#[test]
fn the_command() {
    let run = with_input(["lint", "-"], b"{\n  \"name\": \"x\",\n  \"hw_disk_bus\": \"SCSI\"\n}\n");
    assert_eq!(run.code, 1, "{}{}", run.stdout, run.stderr);
    for part in
        ["error[value-refused]", "--> -:3", "hw_disk_bus\": \"SCSI\"", "^^^^^^", "hw_disk_bus=scsi", "-: 1 error\n"]
    {
        assert!(run.stdout.contains(part), "{part:?} is not in\n{}", run.stdout);
    }
    let run = with_input(["lint", "-", "--format", "json"], b"{\"hw_disk_bus\": \"SCSI\"}");
    let report: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(report["schema"], "bootworthy.lint/1");
    assert_eq!(report["result"], "unfit");
    assert_eq!(report["checks"][0]["id"], "value-refused");
    assert_eq!(report["checks"][0]["evidence"][0]["line"], 1);
    for (input, args, code) in [
        ("{\"hw_disk_bus\": \"virtio\"}", vec!["lint", "-"], 0),
        ("{\"hw_disk_bus\": \"scsi\"}", vec!["lint", "-"], 0),
        ("{\"hw_disk_bus\": \"scsi\"}", vec!["lint", "-", "--fail-on", "warning"], 1),
        ("not JSON", vec!["lint", "-"], 3),
        ("{", vec!["lint", "-"], 3),
        ("{}", vec!["lint", "-", "--from", "nothing"], 2),
        ("{}", vec!["lint", "-", "--flavor", "/nonexistent"], 3),
        ("{}", vec!["lint", "/nonexistent", "-"], 3),
    ] {
        let run = with_input(&args, input.as_bytes());
        assert_eq!(run.code, code, "{input} {args:?}\n{}{}", run.stdout, run.stderr);
    }
    assert_eq!(bootworthy(["lint"]).code, 2);
}

#[test]
fn text_of_a_manifest_cannot_reach_the_terminal() {
    let evil = json!({"name": "\u{1b}[2J", "hw_disk_bus": "\u{1b}[31mscsi\u{202e}", "hw_\u{7}": "x"}).to_string();
    let run = with_input(["lint", "-"], evil.as_bytes());
    assert_eq!(run.code, 1);
    assert!(run.stdout.chars().all(|c| c == '\n' || !c.is_control() && c != '\u{202e}'), "{}", run.stdout);
}

#[test]
fn the_vocabulary_is_explained() {
    for (name, parts) in [
        ("hw_disk_bus", vec!["fdc, ide, sata, scsi", "goes together", "the guest needs", "earned by"]),
        ("hw_numa_mem", vec!["hw_numa_mem.0", "Liberty"]),
        ("architecture", vec!["amd64 is x86_64", "older names: architecture", "earned by"]),
        ("vm_mode", vec!["hw_vm_mode: Names the interface", "hvm, xen, uml, exe (capitals are the same)"]),
        ("hw:cpu_policy", vec!["dedicated, shared, mixed", "on an image: hw_cpu_policy"]),
        ("hw_rng_model", vec!["effect: none"]),
        ("cinder_img_volume_type", vec!["read by: Cinder"]),
        ("value-refused", vec!["severity: error"]),
    ] {
        let run = bootworthy(["explain", name]);
        assert_eq!(run.code, 0, "{name}: {}", run.stderr);
        for part in parts {
            assert!(run.stdout.contains(part), "{part:?} is not in\n{}", run.stdout);
        }
    }
    let run = bootworthy(["explain", "hw_numa_memo"]);
    assert_eq!(run.code, 2);
    assert!(run.stderr.contains("did you mean hw_numa_mem?"), "{}", run.stderr);
}
