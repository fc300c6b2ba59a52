//! A guest that tries to reach the host and the world by every address it may know: nothing of it arrives.

use crate::boot_machine::raw;
use crate::common::{program, qemu, tool};
use crate::variants::Disk;
use bootworthy::boot::console::Console;
use bootworthy::boot::machine::{MONITOR, SERIAL};
use bootworthy::boot::qemu::{Folder, Program, Running};
use std::ffi::OsString;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, UdpSocket};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// Tries TCP and UDP to every address that stands as an argument after the port.
const PROBE: &str = r#"
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
int main(int argc, char **argv) {
    for (int i = 2; i < argc; i++) {
        struct addrinfo want = { .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV }, *to;
        if (getaddrinfo(argv[i], argv[1], &want, &to)) continue;
        int udp = socket(to->ai_family, SOCK_DGRAM, 0);
        sendto(udp, "canary", 6, 0, to->ai_addr, to->ai_addrlen);
        int tcp = socket(to->ai_family, SOCK_STREAM | SOCK_NONBLOCK, 0);
        int error = connect(tcp, to->ai_addr, to->ai_addrlen) && errno != EINPROGRESS;
        struct pollfd wait = { .fd = tcp, .events = POLLOUT };
        socklen_t size = sizeof error;
        if (!error) error = poll(&wait, 1, 3000) < 1 || getsockopt(tcp, SOL_SOCKET, SO_ERROR, &error, &size) || error;
        printf("probe %s %s\n", argv[i], error ? "refused" : "connected");
    }
    fflush(stdout);
}
"#;

/// The guest's init: the network card's driver, an address by DHCP, then the probe.
const INIT: &str = "#!/bin/sh
mkdir -p /proc /sys
mount -t proc proc /proc; mount -t sysfs sys /sys
modprobe virtio_pci; modprobe virtio_net
sleep 1
for card in /sys/class/net/e*; do ipconfig -t 20 -c dhcp ${card##*/}; done
/probe PORT ADDRESSES
echo probe ended
sleep 1000
";

/// The addresses of this host that others may use, and what slirp calls it and its name server.
fn addresses() -> Vec<String> {
    let mut found = vec!["10.0.2.2".to_owned(), "10.0.2.3".to_owned(), "127.0.0.1".to_owned(), "fec0::2".to_owned()];
    for (own, far) in [("0.0.0.0:0", "192.0.2.1:9"), ("[::]:0", "[2001:db8::1]:9")] {
        let socket = UdpSocket::bind(own).ok().filter(|socket| socket.connect(far).is_ok());
        found.extend(socket.and_then(|socket| Some(socket.local_addr().ok()?.ip().to_string())));
    }
    found
}

/// Kernel and initrd of an image, with the probe as init.
fn initrd(folder: &Path, port: u16) {
    let (whole, facts) = raw("debian12", folder);
    let disk = Disk::copy(&whole, &facts, folder);
    std::fs::write(folder.join("kernel"), disk.read(&disk.kernel())).unwrap();
    let tree = folder.join("probe");
    std::fs::create_dir(&tree).unwrap();
    std::fs::write(folder.join("probe.c"), PROBE).unwrap();
    let path = |name: &str| folder.join(name).display().to_string();
    tool("gcc", ["-static", "-w", "-o", &path("probe/probe"), &path("probe.c")]);
    let init = INIT.replace("PORT", &port.to_string()).replace("ADDRESSES", &addresses().join(" "));
    std::fs::write(tree.join("canary"), init).unwrap();
    tool("chmod", ["755", &path("probe/canary")]);
    let pack = format!("cd {} && find . | cpio -o -H newc --quiet -R 0:0", tree.display());
    let more = Command::new("sh").args(["-c", &pack]).output().unwrap().stdout;
    // The kernel looks for the next archive where a multiple of four bytes is.
    let mut all = disk.read(&disk.initrd());
    all.resize(all.len().next_multiple_of(4), 0);
    all.extend(more);
    std::fs::write(folder.join("initrd"), all).unwrap();
}

/// Boots the probe; whether anything arrived, and what the guest says.
fn arrives(files: &Path, netdev: &str, tcp: &[TcpListener], udp: &[UdpSocket]) -> (bool, String) {
    let folder = Folder::create_by(Path::new(program())).unwrap();
    let in_folder = |name: &str| folder.path().join(name).display().to_string();
    let kernel = files.join("kernel").display().to_string();
    let initrd = files.join("initrd").display().to_string();
    let monitor = format!("socket,id=monitor,path={},server=on,wait=off", in_folder(MONITOR));
    let serial = format!("file:{}", in_folder(SERIAL));
    let words = [
        "-S",
        "-machine",
        "pc",
        "-accel",
        "tcg",
        "-cpu",
        "max",
        "-m",
        "512",
        "-nodefaults",
        "-no-user-config",
        "-display",
        "none",
        "-chardev",
        &monitor,
        "-mon",
        "chardev=monitor,mode=control",
        "-serial",
        &serial,
        "-kernel",
        &kernel,
        "-initrd",
        &initrd,
        "-append",
        "console=ttyS0 rdinit=/canary no_timer_check",
        "-netdev",
        netdev,
        "-device",
        "virtio-net-pci,netdev=net",
    ];
    let words: Vec<OsString> = words.iter().map(OsString::from).collect();
    let mut console = Console::new(&folder.path().join(SERIAL));
    let serial = folder.path().join(SERIAL);
    let mut running = Running::start(&Program::find("x86_64", Some(&qemu())).unwrap(), &words, folder, None).unwrap();
    running.resume().unwrap();
    let has_ended = |console: &Console| console.tail().any(|line| line == "probe ended");
    while !has_ended(&console) {
        console.poll(running.elapsed()).unwrap();
        assert!(running.elapsed() < Duration::from_mins(5), "{:?}", console.tail().collect::<Vec<_>>());
        std::thread::sleep(Duration::from_millis(200));
    }
    let said = String::from_utf8_lossy(&std::fs::read(serial).unwrap()).into_owned();
    let said = said.split_once("as init process").map_or(String::new(), |(_, said)| said.to_owned());
    // All of it is taken: what is left would count as the next boot's.
    let count = |listener: &TcpListener| std::iter::from_fn(|| listener.accept().ok()).count();
    let datagrams = |socket: &UdpSocket| std::iter::from_fn(|| socket.recv(&mut [0; 16]).ok()).count();
    let arrived = tcp.iter().map(count).sum::<usize>() + udp.iter().map(datagrams).sum::<usize>();
    (arrived > 0, said)
}

#[test]
fn nothing_of_a_guest_reaches_the_host_or_the_world() {
    let files = tempfile::tempdir().unwrap();
    let any4 = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
    let mut tcp = vec![TcpListener::bind(any4).unwrap()];
    let port = tcp[0].local_addr().unwrap().port();
    let mut udp = vec![UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port)).unwrap()];
    // [::] takes IPv4 as well: the loopback device's own address does not.
    tcp.extend(TcpListener::bind((Ipv6Addr::LOCALHOST, port)));
    udp.extend(UdpSocket::bind((Ipv6Addr::LOCALHOST, port)));
    for listener in &tcp {
        listener.set_nonblocking(true).unwrap();
    }
    for socket in &udp {
        socket.set_nonblocking(true).unwrap();
    }
    initrd(files.path(), port);

    let (has_arrived, said) = arrives(files.path(), "user,id=net", &tcp, &udp);
    assert!(has_arrived && said.contains("probe 10.0.2.2 connected"), "the control shows nothing: {said}");
    let (has_arrived, said) = arrives(files.path(), "user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:0-:22", &tcp, &udp);
    assert!(!has_arrived, "{said}");
    // It had a network, and tried: that is what did not arrive.
    assert!(said.contains("10.0.2.15"), "{said}");
    let refused = addresses().into_iter().all(|address| said.contains(&format!("probe {address} refused")));
    assert!(refused && !said.contains(" connected"), "{said}");
}
