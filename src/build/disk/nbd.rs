//! Writes to an image by the driver that QEMU has for its format: a client of `qemu-nbd`
//! (<https://github.com/NetworkBlockDevice/nbd/blob/master/doc/proto.md>), with one request at a time, so that the image has
//! the same bytes each time.

use crate::bytes::{be_u16, be_u32, be_u64};
use std::io;
use std::os::unix::net::UnixStream;
use std::path::Path;

/// What a server begins with: `NBDMAGIC`, then `IHAVEOPT`, which also begins an option.
const INIT: u64 = 0x4e42_444d_4147_4943;
const OPTION: u64 = 0x4948_4156_454f_5054;
/// Flags of both sides: the fixed handshake, and no 124 zeros at its end.
const FIXED: u16 = 1;
const NO_ZEROES: u16 = 2;
/// The option that ends the handshake; its export is the one without a name.
const EXPORT_NAME: u32 = 1;
/// What begins a request and an answer.
const REQUEST: u32 = 0x2560_9513;
const ANSWER: u32 = 0x6744_6698;
/// Kinds of requests.
const WRITE: u16 = 1;
const DISCONNECT: u16 = 2;
const FLUSH: u16 = 3;

/// A connection.
#[derive(Debug)]
pub(super) struct Client<Stream> {
    stream: Stream,
}

impl Client<UnixStream> {
    /// Connects to the server at this socket.
    pub(super) fn connect(socket: &Path) -> io::Result<Self> {
        Self::greet(UnixStream::connect(socket)?)
    }
}

impl<Stream: io::Read + io::Write> Client<Stream> {
    fn greet(mut stream: Stream) -> io::Result<Self> {
        let mut hello = [0; 18];
        stream.read_exact(&mut hello)?;
        let flags = be_u16(&hello, 16).unwrap_or(0);
        let is_nbd = be_u64(&hello, 0) == Some(INIT) && be_u64(&hello, 8) == Some(OPTION);
        if !is_nbd || flags & FIXED == 0 || flags & NO_ZEROES == 0 {
            return Err(io::Error::other("it does not greet as an NBD server does"));
        }
        let mut answer = u32::from(FIXED | NO_ZEROES).to_be_bytes().to_vec();
        answer.extend(OPTION.to_be_bytes());
        answer.extend(EXPORT_NAME.to_be_bytes());
        answer.extend(0_u32.to_be_bytes());
        stream.write_all(&answer)?;
        // The size, which we know, and flags of what the server can do besides.
        stream.read_exact(&mut [0; 10])?;
        Ok(Self { stream })
    }

    /// Writes and waits until it is written.
    pub(super) fn write(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.request(WRITE, offset, bytes)?;
        self.answer()
    }

    /// Has everything written to the disk below, and takes leave.
    pub(super) fn end(mut self) -> io::Result<()> {
        self.request(FLUSH, 0, &[])?;
        self.answer()?;
        self.request(DISCONNECT, 0, &[])
    }

    fn request(&mut self, kind: u16, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let length = u32::try_from(bytes.len()).map_err(io::Error::other)?;
        let mut request = REQUEST.to_be_bytes().to_vec();
        request.extend(0_u16.to_be_bytes());
        request.extend(kind.to_be_bytes());
        // The answer repeats this number; there is never more than one to wait for.
        request.extend(0_u64.to_be_bytes());
        request.extend(offset.to_be_bytes());
        request.extend(length.to_be_bytes());
        request.extend(bytes);
        self.stream.write_all(&request)
    }

    fn answer(&mut self) -> io::Result<()> {
        let mut answer = [0; 16];
        self.stream.read_exact(&mut answer)?;
        if be_u32(&answer, 0) != Some(ANSWER) {
            return Err(io::Error::other("it does not answer as an NBD server does"));
        }
        // Its numbers are Linux's.
        match be_u32(&answer, 4).and_then(|error| i32::try_from(error).ok()) {
            Some(0) => Ok(()),
            error => Err(io::Error::from_raw_os_error(error.unwrap_or(0))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::VecDeque;

    /// Answers as it is told, and keeps what it hears.
    struct Server {
        says: VecDeque<u8>,
        heard: Vec<u8>,
    }

    impl io::Read for Server {
        fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            self.says.read(buf)
        }
    }

    impl io::Write for Server {
        fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
            self.heard.write(buf)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn server(says: &[&[u8]]) -> Server {
        Server { says: says.concat().into(), heard: Vec::new() }
    }

    const GREETING: &[u8] = b"NBDMAGICIHAVEOPT\0\x03";
    const EXPORT: &[u8] = &[0; 10];

    #[test]
    fn words_are_those_of_the_protocol() {
        let done: &[u8] = &[0x67, 0x44, 0x66, 0x98, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        let mut client = Client::greet(server(&[GREETING, EXPORT, done, done])).unwrap();
        client.write(0x1_0000, b"abc").unwrap();
        let heard = client.stream.heard.clone();
        let hello = b"\0\0\0\x03IHAVEOPT\0\0\0\x01\0\0\0\0";
        let write = b"\x25\x60\x95\x13\0\0\0\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\0\0\0\0\0\x03abc";
        assert_eq!(heard, [&hello[..], &write[..]].concat());
        client.end().unwrap();
    }

    #[test]
    fn errors_and_strangers_are_heard() {
        let full: &[u8] = &[0x67, 0x44, 0x66, 0x98, 0, 0, 0, 28, 0, 0, 0, 0, 0, 0, 0, 0];
        let mut client = Client::greet(server(&[GREETING, EXPORT, full])).unwrap();
        assert_eq!(client.write(0, b"x").unwrap_err().kind(), io::ErrorKind::StorageFull);
        assert_eq!(client.write(0, b"x").unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        let mut client = Client::greet(server(&[GREETING, EXPORT, &[0; 16]])).unwrap();
        assert!(client.write(0, b"x").is_err());
        for says in [&b"SSH-2.0-x\r\n0123456789"[..], b"NBDMAGICIHAVEOPT\0\0", b"NBDMAGIC"] {
            assert!(Client::greet(server(&[says])).is_err());
        }
    }
}
