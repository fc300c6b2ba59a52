//! Who logs in: a key made for this boot alone, and OpenSSH's own client where the host has it.

use super::agent::{Ran, encode};
use crate::bytes::{read_capped, text};
use crate::error::{Error, Result};
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// Bytes of what a program in the guest says that are read.
const MAX_OUTPUT: u64 = 1024 * 1024;
/// Bytes of a banner: RFC 4253, 4.2.
const MAX_BANNER: usize = 255;
/// Between two looks.
const PACE: Duration = Duration::from_millis(200);

/// A key.
#[derive(Clone, Debug)]
pub(super) struct Key {
    /// As it stands in `authorized_keys`.
    pub(super) public: String,
    /// Where the private part lies; or why there is none.
    private: Result<PathBuf, String>,
}

impl Key {
    /// Makes one in a private folder. Without `ssh-keygen` it is a public key to which nobody has the other half: the
    /// guest takes it all the same.
    ///
    /// # Errors
    /// When the host has no randomness.
    pub(super) fn make(folder: &Path) -> Result<Self> {
        let path = folder.join("key");
        #[expect(clippy::disallowed_methods, reason = "makes the key")]
        let mut command = Command::new("ssh-keygen");
        command.args(["-q", "-t", "ed25519", "-N", "", "-C", "bootworthy", "-f"]).arg(&path);
        let made = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
        let public = match made {
            Ok(status) if status.success() => {
                let file = File::open(path.with_extension("pub"));
                file.ok().and_then(|mut file| read_capped(&mut file, 4096, "public key").ok())
            }
            _ => None,
        };
        match public {
            Some(public) => Ok(Self { public: text(&public).trim().to_owned(), private: Ok(path) }),
            None => Ok(Self { public: orphan()?, private: Err("ssh-keygen is not there (openssh-client)".to_owned()) }),
        }
    }

    /// Runs a script as root in the guest behind this port of the loopback device, as the user that cloud-init made.
    ///
    /// # Errors
    /// Why it cannot be run.
    pub(super) fn run(&self, port: u16, user: &str, script: &str, patience: Duration) -> Result<Ran, String> {
        let key = self.private.as_ref().map_err(Clone::clone)?;
        if user.starts_with('-') || user.contains(['@', ' ']) {
            return Err(format!("{user:?} is no name to log in with"));
        }
        let options = [
            "BatchMode=yes",
            "StrictHostKeyChecking=no",
            "UserKnownHostsFile=/dev/null",
            "LogLevel=ERROR",
            "IdentitiesOnly=yes",
            "IdentityAgent=none",
            "ControlPath=none",
            "ForwardAgent=no",
            "ClearAllForwardings=yes",
            "PermitLocalCommand=no",
        ];
        #[expect(clippy::disallowed_methods, reason = "logs in to the guest")]
        let mut command = Command::new("ssh");
        // No configuration of the user's: it may run programs and send secrets.
        command.args(["-F", "none", "-T", "-p", &port.to_string(), "-i"]).arg(key);
        command.args(options.iter().flat_map(|option| ["-o", option]));
        command.args(["-o", &format!("ConnectTimeout={}", patience.as_secs())]);
        command.args(["-l", user, "127.0.0.1", if user == "root" { "sh -s" } else { "sudo -n sh -s" }]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.spawn().map_err(|error| format!("ssh: {error} (openssh-client)"))?;
        talk(child, script, patience)
    }
}

/// Both outputs are read beside, so that neither stops the other.
fn talk(mut child: Child, script: &str, patience: Duration) -> Result<Ran, String> {
    let deadline = super::agent::deadline(patience);
    let input = child.stdin.take();
    let (out, err) = (child.stdout.take(), child.stderr.take());
    thread::scope(|scope| {
        scope.spawn(move || input.map(|mut input| input.write_all(script.as_bytes())));
        let read = |stream: Option<Box<dyn std::io::Read + Send>>| {
            scope.spawn(move || {
                stream.and_then(|mut stream| read_capped(&mut *stream, MAX_OUTPUT, "ssh").ok()).unwrap_or_default()
            })
        };
        let out = read(out.map(|out| -> Box<dyn std::io::Read + Send> { Box::new(out) }));
        let err = read(err.map(|err| -> Box<dyn std::io::Read + Send> { Box::new(err) }));
        let status = loop {
            match child.try_wait() {
                Ok(Some(status)) => break Ok(status),
                Ok(None) if Instant::now() < deadline => thread::sleep(PACE),
                Ok(None) => {
                    drop(child.kill());
                    drop(child.wait());
                    break Err(format!("ssh: no end within {} s", patience.as_secs()));
                }
                Err(error) => break Err(format!("ssh: {error}")),
            }
        };
        let (out, err) = (text(&out.join().unwrap_or_default()), text(&err.join().unwrap_or_default()));
        let code = status?.code().map(i64::from);
        // ssh's own exit code when it cannot log in.
        if code == Some(255) { Err(format!("ssh: {}", err.trim())) } else { Ok(Ran { code, out, err }) }
    })
}

/// The first line of whoever listens behind this port of the loopback device.
///
/// # Errors
/// When nobody does within `patience`, or it is no SSH.
pub(super) fn banner(port: u16, patience: Duration) -> Result<String, String> {
    let deadline = super::agent::deadline(patience);
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    loop {
        // QEMU takes the connection itself and closes it when the guest's port is shut.
        let found = greeting(&address);
        match found {
            Ok(line) if line.starts_with("SSH-2.0-") => return Ok(line),
            _ if Instant::now() < deadline => thread::sleep(Duration::from_secs(1)),
            Ok(line) => return Err(format!("port 22 answers {:?}", line.chars().take(80).collect::<String>())),
            Err(error) => return Err(format!("port 22: {error}")),
        }
    }
}

fn greeting(address: &SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect_timeout(address, Duration::from_secs(5))?;
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    let mut line = Vec::new();
    let mut byte = [0_u8; 1];
    while line.len() < MAX_BANNER && stream.read(&mut byte)? == 1 && byte != [b'\n'] {
        line.extend(byte);
    }
    Ok(text(&line).trim().to_owned())
}

/// A public key of random bytes (RFC 8709, 4).
fn orphan() -> Result<String> {
    let mut blob = vec![0, 0, 0, 11];
    blob.extend(b"ssh-ed25519");
    blob.extend([0, 0, 0, 32]);
    blob.extend(random::<32>()?);
    Ok(format!("ssh-ed25519 {} bootworthy", encode(&blob)))
}

/// A nonce, in hexadecimal.
///
/// # Errors
/// When the host has no randomness.
pub(super) fn nonce() -> Result<String> {
    Ok(format!("{:032x}", u128::from_le_bytes(random::<16>()?)))
}

fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    let read = File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut bytes));
    read.map(|()| bytes).map_err(|error| Error::io("/dev/urandom", error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn banners() {
        for (said, expected) in [
            ("SSH-2.0-OpenSSH_9.2p1 Debian\r\nmore", Ok("SSH-2.0-OpenSSH_9.2p1 Debian")),
            ("HTTP/1.0 400\r\n", Err(())),
        ] {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let port = listener.local_addr().unwrap().port();
            let server = thread::spawn(move || drop(listener.accept().unwrap().0.write_all(said.as_bytes())));
            let found = banner(port, Duration::ZERO);
            assert_eq!(found.as_deref().map_err(|_| ()), expected, "{found:?}");
            server.join().unwrap();
        }
    }

    #[test]
    fn keys_without_a_maker() {
        let key = orphan().unwrap();
        assert!(key.starts_with("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI") && key.len() == 91, "{key}");
        assert_ne!(nonce().unwrap(), nonce().unwrap());
    }
}
