//! QEMU as a child: found, started, spoken to, and gone without a trace however its parent ends.

use crate::common::{fixture, program as guard};
use bootworthy::boot::machine::{Accel, MONITOR, SERIAL};
use bootworthy::boot::qemu::{
    Folder, Namespace, OVERLAY, Program, Running, TPM, TRANSCRIPT, Wish, create_overlay, find_tpm, network, start_tpm,
};
use bootworthy::error::Error;
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use serde_json::{Value, json};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Set where this program is the parent that a test kills: the file in which it says where its machine is.
const PARENT: &str = "BOOTWORTHY_TEST_PARENT";
/// Until nothing is left of a machine whose parent died.
const PATIENCE: Duration = Duration::from_secs(10);

fn qemu() -> Program {
    let named = crate::common::qemu();
    Program::find("x86_64", Some(&named)).unwrap()
}

/// A machine whose disk holds nothing: it stays in the firmware.
fn arguments(folder: &Path, more: &[&str]) -> Vec<OsString> {
    let path = |name: &str| folder.join(name).display().to_string();
    let words = [
        "-S -machine pc -accel tcg -m 64 -nodefaults -no-user-config -display none".to_owned(),
        format!("-chardev socket,id=monitor,path={},server=on,wait=off", path(MONITOR)),
        "-mon chardev=monitor,mode=control".to_owned(),
        format!("-chardev file,id=serial,path={} -device isa-serial,chardev=serial", path(SERIAL)),
        format!("-blockdev driver=qcow2,node-name=disk,discard=unmap,file.driver=file,file.filename={}", path(OVERLAY)),
        "-device virtio-blk-pci,drive=disk,id=virtio-disk0".to_owned(),
    ];
    let words = words.iter().flat_map(|line| line.split(' ')).chain(more.iter().copied());
    words.map(OsString::from).collect()
}

fn start(more: &[&str], namespace: Option<&Namespace>) -> Result<Running, Box<(PathBuf, Error)>> {
    let folder = Folder::create_by(Path::new(guard())).unwrap();
    let path = folder.path().to_owned();
    create_overlay(&path.join(OVERLAY), 1 << 30).unwrap();
    let arguments = arguments(&path, more);
    Running::start(&qemu(), &arguments, folder, namespace).map_err(|error| Box::new((path, error)))
}

/// Processes whose command line names the folder.
fn processes(folder: &Path) -> Vec<String> {
    let lines = std::fs::read_dir("/proc").unwrap().filter_map(|entry| {
        let line = std::fs::read(entry.unwrap().path().join("cmdline")).ok()?;
        Some(String::from_utf8_lossy(&line).replace('\0', " "))
    });
    lines.filter(|line| line.contains(folder.to_str().unwrap())).collect()
}

fn assert_gone(folder: &Path, how: &str) {
    let start = Instant::now();
    while folder.exists() || !processes(folder).is_empty() {
        let left = processes(folder);
        assert!(start.elapsed() < PATIENCE, "{how}: {} {left:?}", folder.display());
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_machine_is_started_asked_and_stopped() {
    let mut running = start(&[], None).unwrap();
    let path = running.folder().path().to_owned();
    assert_eq!(processes(&path).len(), 1);
    assert_eq!(running.status().unwrap(), "prelaunch");
    running.resume().unwrap();
    let deadline = Instant::now() + PATIENCE;
    let event = running.wait_for(|event| event.name == "RESUME", deadline).unwrap().unwrap();
    assert!(running.time_of(&event) < PATIENCE);
    assert_eq!(running.status().unwrap(), "running");
    assert_eq!(running.blockstat("disk", "unmap_operations").unwrap(), 0);
    assert_eq!(running.blockstat("virtio-disk0", "failed_unmap_operations").unwrap(), 0);
    assert!(running.blockstat("disk", "nonsense").is_err());
    running.reset().unwrap();
    assert!(running.wait_for(|event| event.name == "RESET", deadline).unwrap().is_some());
    let error = running.execute("nonsense", Value::Null).unwrap_err();
    assert!(error.to_string().contains("nonsense"), "{error}");
    assert_eq!(running.ended(), None);

    // The same folder carries another machine, whose first was ended gently, then one that is killed.
    let mut folder = running.stop().unwrap();
    assert_eq!(processes(&path), [""; 0]);
    let id = folder.start(Path::new("/bin/sleep"), &["1000".into()], None).unwrap();
    assert_eq!(folder.ended(id), None);
    folder.kill(id).unwrap();
    assert_eq!(folder.ended(id).as_deref(), Some("signal: 9 (SIGKILL)"));
    let arguments = arguments(&path, &[]);
    let mut running = Running::start(&qemu(), &arguments, folder, None).unwrap();
    running.resume().unwrap();
    let kept = tempfile::tempdir().unwrap();
    running.folder().keep(&[SERIAL, TRANSCRIPT, "absent"], &kept.path().join("logs")).unwrap();
    let transcript = std::fs::read_to_string(kept.path().join("logs").join(TRANSCRIPT)).unwrap();
    assert!(transcript.starts_with("< {\"QMP\"") && transcript.contains("\n> {\"execute\":\"cont\""), "{transcript}");
    drop(running);
    assert_gone(&path, "success");
}

#[test]
fn a_refusal_is_told_in_qemus_words() {
    let (path, error) = *start(&["-device", "nonsense"], None).unwrap_err();
    assert!(error.to_string().contains("it does not start (exit status: 1: "), "{error}");
    assert!(error.to_string().contains("'nonsense' is not a valid device model name"), "{error}");
    assert_gone(&path, "failure");

    let mut running = start(&[], None).unwrap();
    let path = running.folder().path().to_owned();
    running.execute("quit", Value::Null).unwrap();
    let error = running.execute("query-status", Value::Null).unwrap_err();
    assert_eq!(error.to_string(), "QEMU: it ended (exit status: 0)");
    drop(running);
    assert_gone(&path, "an early end");
}

#[test]
fn a_tap_device_has_two_queues_and_leads_nowhere() {
    network::probe_tap().unwrap();
    let namespace = Namespace::new();
    let netdev = "tap,id=net,ifname=tap0,queues=2,script=no,downscript=no,vhost=off";
    let nic = "virtio-net-pci,netdev=net,mq=on,vectors=6,id=net0";
    let mut running = start(&["-netdev", netdev, "-device", nic], Some(&namespace)).unwrap();
    let path = running.folder().path().to_owned();
    let found = running.execute("human-monitor-command", json!({"command-line": "info network"})).unwrap();
    assert_eq!(found.as_str().unwrap().matches("type=tap").count(), 2, "{found}");
    let inside = std::fs::read_to_string(format!("/proc/{}/net/dev", running.id())).unwrap();
    let mut devices: Vec<&str> = inside.lines().filter_map(|line| Some(line.split_once(':')?.0.trim())).collect();
    devices.sort_unstable();
    assert_eq!(devices, ["lo", "tap0"]);
    drop(running);
    assert_gone(&path, "a namespace");
}

#[test]
fn swtpm_is_beside_the_machine_and_goes_with_it() {
    let program = find_tpm().expect("swtpm is needed by this test");
    for version in ["2.0", "1.2"] {
        let mut folder = Folder::create_by(Path::new(guard())).unwrap();
        let path = folder.path().to_owned();
        create_overlay(&path.join(OVERLAY), 1 << 30).unwrap();
        start_tpm(&mut folder, &program, version).unwrap();
        let socket = format!("socket,id=chrtpm,path={}", path.join(TPM).display());
        let words =
            ["-chardev", &socket, "-tpmdev", "emulator,id=tpm0,chardev=chrtpm", "-device", "tpm-tis,tpmdev=tpm0"];
        let mut running = Running::start(&qemu(), &arguments(&path, &words), folder, None).unwrap();
        assert_eq!(running.execute("query-tpm", Value::Null).unwrap()[0]["model"], "tpm-tis");
        assert_eq!(processes(&path).len(), 2);
        // Once more in the same folder, as for a second start.
        let mut folder = running.stop().unwrap();
        start_tpm(&mut folder, &program, version).unwrap();
        drop(Running::start(&qemu(), &arguments(&path, &words), folder, None).unwrap());
        assert_gone(&path, "a TPM");
    }
    let mut folder = Folder::create_by(Path::new(guard())).unwrap();
    let error = start_tpm(&mut folder, Path::new("/bin/false"), "2.0").unwrap_err().to_string();
    assert!(error.contains("swtpm: exit status: 1"), "{error}");
}

#[test]
fn the_guests_port_22_has_a_port_of_the_loopback_device() {
    let forward = "user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:0-:22";
    let mut running = start(&["-netdev", forward, "-device", "virtio-net-pci,netdev=net"], None).unwrap();
    let port = running.ssh_port().unwrap();
    assert!(std::net::TcpStream::connect(("127.0.0.1", port)).is_ok());
    drop(running);
    let mut running = start(&[], None).unwrap();
    assert!(running.ssh_port().is_err());
}

/// The process that the next tests kill: it starts a machine, says where in the file `told`, and waits.
fn parent(told: &Path) {
    let mut running = start(&[], None).unwrap();
    running.resume().unwrap();
    let draft = told.with_extension("draft");
    std::fs::write(&draft, running.folder().path().to_str().unwrap()).unwrap();
    std::fs::rename(draft, told).unwrap();
    std::thread::sleep(Duration::from_secs(1000));
}

/// Starts [`parent`] and gives it with the folder of its machine.
fn started_parent() -> (Child, PathBuf) {
    let told = tempfile::tempdir().unwrap();
    let file = told.path().join("folder");
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "boot_process::nothing_is_left_when_the_parent_dies"]).env(PARENT, &file);
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
    while !file.exists() {
        assert_eq!(child.try_wait().unwrap(), None, "the parent ended before it was killed");
        std::thread::sleep(Duration::from_millis(10));
    }
    let folder = PathBuf::from(std::fs::read_to_string(file).unwrap());
    (child, folder)
}

#[test]
fn nothing_is_left_when_the_parent_dies() {
    // Started once more by itself, to be killed.
    if let Some(told) = std::env::var_os(PARENT) {
        return parent(Path::new(&told));
    }
    for signal in [Signal::INT, Signal::TERM, Signal::HUP, Signal::KILL, Signal::ABORT] {
        let (mut child, folder) = started_parent();
        assert!(folder.join(MONITOR).exists());
        assert_eq!(processes(&folder).len(), 1);
        kill_process(Pid::from_child(&child), signal).unwrap();
        child.wait().unwrap();
        assert_gone(&folder, &format!("{signal:?}"));
    }
}

#[test]
fn nothing_is_left_when_the_guard_dies() {
    let running = start(&[], None).unwrap();
    let path = running.folder().path().to_owned();
    let is_guard = |line: &str| line == format!("{}\0guard\0", guard());
    // Other tests of this process have guards too: ours is the parent of the process that names our folder.
    let guards: Vec<Pid> = children(std::process::id()).into_iter().filter(|id| is_guard(&cmdline(*id))).collect();
    let ours = guards.into_iter().find(|id| {
        children(id.as_raw_pid().unsigned_abs()).iter().any(|child| cmdline(*child).contains(path.to_str().unwrap()))
    });
    let ours = ours.unwrap();
    let qemu = children(ours.as_raw_pid().unsigned_abs())[0];
    kill_process(ours, Signal::KILL).unwrap();
    let start = Instant::now();
    while test_kill_process(qemu).is_ok() && !cmdline(qemu).is_empty() {
        assert!(start.elapsed() < PATIENCE, "QEMU outlives its guard");
        std::thread::sleep(Duration::from_millis(10));
    }
    drop(running);
    assert_gone(&path, "a dead guard");
}

/// The whole command, its private folders below `place`; the fixture's kernel is cut off, so that it never comes up.
fn whole_command(place: &Path, timeout: &str) -> Child {
    let mut command = crate::common::command();
    command.args(["boot", "--no-config", "--quiet", "--accel", "tcg", "--timeout", timeout, "--qemu"]);
    command.arg(std::env::var_os("BOOTWORTHY_QEMU").unwrap()).arg(fixture("good.qcow2")).env("TMPDIR", place);
    command.env("PATH", std::env::var_os("PATH").unwrap());
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

fn assert_empty(place: &Path, how: &str) {
    let start = Instant::now();
    let left = || std::fs::read_dir(place).unwrap().map(|entry| entry.unwrap().path()).collect::<Vec<_>>();
    while !left().is_empty() || !processes(place).is_empty() {
        assert!(start.elapsed() < PATIENCE, "{how}: {:?} {:?}", left(), processes(place));
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn nothing_is_left_of_a_command_that_ends_or_is_ended() {
    let place = tempfile::tempdir().unwrap();
    let ended = whole_command(place.path(), "2").wait().unwrap();
    assert_eq!(ended.code(), Some(3), "what takes longer than it may is not decided");
    assert_empty(place.path(), "its own end");
    let moments = [0, 40, 150, 400, 1000].into_iter().map(Duration::from_millis);
    let signals = [Signal::INT, Signal::KILL, Signal::TERM, Signal::KILL, Signal::INT];
    for (moment, signal) in moments.zip(signals) {
        let mut child = whole_command(place.path(), "300");
        // From the first sign of its folder on; at once, where the moment is none.
        while !moment.is_zero() && std::fs::read_dir(place.path()).unwrap().next().is_none() {
            assert_eq!(child.try_wait().unwrap(), None, "it ended before it was killed");
            std::thread::sleep(Duration::from_millis(1));
        }
        std::thread::sleep(moment);
        kill_process(Pid::from_child(&child), signal).unwrap();
        let ended = child.wait().unwrap();
        assert!(!ended.success(), "{signal:?}");
        assert_empty(place.path(), &format!("{signal:?} after {moment:?}"));
    }
}

fn cmdline(id: Pid) -> String {
    std::fs::read_to_string(format!("/proc/{}/cmdline", id.as_raw_pid())).unwrap_or_default()
}

fn children(parent: u32) -> Vec<Pid> {
    let entries = std::fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let ids = entries.filter_map(|name| name.parse::<i32>().ok()).filter(|id| {
        let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
        let behind = stat.rsplit(')').next().unwrap_or_default().to_owned();
        behind.split_whitespace().nth(1) == Some(&parent.to_string())
    });
    ids.filter_map(Pid::from_raw).collect()
}

#[test]
fn kvm_is_used_where_it_works() {
    let program = qemu();
    let (accel, why) = program.accel(Wish::Auto).unwrap();
    assert_eq!(accel == Accel::Tcg, why.is_some(), "{why:?}");
    assert_eq!(program.accel(Wish::Only(Accel::Kvm)).is_ok(), accel == Accel::Kvm);
    assert_eq!(program.accel(Wish::Only(Accel::Tcg)).unwrap(), (Accel::Tcg, None));
}

#[test]
fn overlays_are_what_qemu_img_takes_for_empty() {
    for size in [1_u64, 512, 1 << 29, (1 << 29) + 1, 10 << 30, 1 << 50] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(OVERLAY);
        create_overlay(&path, size).unwrap();
        let path = path.to_str().unwrap();
        let info: Value =
            serde_json::from_slice(&crate::common::tool("qemu-img", ["info", "--output=json", path])).unwrap();
        assert_eq!(info["virtual-size"], size.next_multiple_of(512), "{info}");
        assert_eq!(info["format"], "qcow2");
        assert_eq!(info["format-specific"]["data"]["compat"], "1.1");
        assert!(info.get("backing-filename").is_none());
        let check: Value =
            serde_json::from_slice(&crate::common::tool("qemu-img", ["check", "--output=json", path])).unwrap();
        for key in ["check-errors", "leaks", "corruptions"] {
            assert!(check.get(key).is_none_or(|count| *count == 0), "{size}: {check}");
        }
    }
}
