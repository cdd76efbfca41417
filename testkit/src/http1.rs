//! HTTP/1.1 with as little cost as a client can have: one blocking connection that is kept alive.
//!
//! Only what the daemon's buffered answers need (RFC 9112): a status line, headers, a body whose length
//! `Content-Length` gives. A chunked body is refused by name.

use std::fmt::Write as _;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// A longer head or body than these is refused.
const MAX_HEAD_BYTES: usize = 64 << 10;
const MAX_BODY_BYTES: usize = 64 << 20;

/// Why an exchange failed.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// The connection could not be made, broke, or timed out.
    #[error("the connection to {peer} failed")]
    Io {
        /// The other side.
        peer: SocketAddr,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// The answer is no HTTP that is understood here.
    #[error("the answer is not understood: {what}")]
    Malformed {
        /// The fault.
        what: &'static str,
    },
}

/// The bytes of a request. The same bytes can be sent again and again.
pub fn request(method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut head = format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\n");
    for (name, value) in headers {
        let _ = write!(head, "{name}: {value}\r\n");
    }
    let _ = write!(head, "content-length: {}\r\n\r\n", body.len());
    let mut bytes = head.into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

/// What is read from the beginning of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// The status code.
    pub status: u16,
    /// Where the body begins in the bytes of the answer.
    pub body_at: usize,
    /// How long the body is, in bytes.
    pub body_bytes: usize,
}

impl Head {
    /// Reads a head from the bytes received so far; none while it is incomplete.
    pub fn parse(bytes: &[u8]) -> Result<Option<Self>, HttpError> {
        let malformed = |what| HttpError::Malformed { what };
        let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
            let too_long = bytes.len() > MAX_HEAD_BYTES;
            return if too_long {
                Err(malformed("the head is too long"))
            } else {
                Ok(None)
            };
        };
        let head =
            std::str::from_utf8(&bytes[..end]).map_err(|_| malformed("the head is no text"))?;
        let status = head
            .strip_prefix("HTTP/1.1 ")
            .and_then(|rest| rest.get(..3)?.parse().ok());
        let status = status.ok_or(malformed("no status line"))?;
        if header(head, "transfer-encoding").is_some() {
            return Err(malformed("the body has a transfer encoding"));
        }
        let body_bytes = match (status, header(head, "content-length")) {
            (204 | 304, _) => 0,
            (_, Some(text)) => text
                .parse()
                .map_err(|_| malformed("Content-Length is no number"))?,
            (_, None) => return Err(malformed("no Content-Length")),
        };
        if body_bytes > MAX_BODY_BYTES {
            return Err(malformed("the body is too long"));
        }
        Ok(Some(Self {
            status,
            body_at: end + 4,
            body_bytes,
        }))
    }

    /// Where the answer ends.
    pub const fn end(&self) -> usize {
        self.body_at + self.body_bytes
    }
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let matching = |line: &'a str| {
        let (found, value) = line.split_once(':')?;
        found.eq_ignore_ascii_case(name).then(|| value.trim())
    };
    head.split("\r\n").skip(1).find_map(matching)
}

/// An answer, in the connection's buffer.
#[derive(Debug, Clone, Copy)]
pub struct Answer<'a> {
    /// The status code.
    pub status: u16,
    /// Status line and headers.
    head: &'a [u8],
    /// The body.
    pub body: &'a [u8],
}

impl<'a> Answer<'a> {
    /// The first header of this name, in any case.
    pub fn header(&self, name: &str) -> Option<&'a str> {
        header(std::str::from_utf8(self.head).ok()?, name)
    }
}

/// One connection that is kept alive.
#[derive(Debug)]
pub struct HttpConnection {
    stream: TcpStream,
    peer: SocketAddr,
    buffer: Vec<u8>,
}

impl HttpConnection {
    /// Connects; every later read or write may take `timeout`.
    pub fn connect(peer: SocketAddr, timeout: Duration) -> Result<Self, HttpError> {
        let open = || {
            let stream = TcpStream::connect_timeout(&peer, timeout)?;
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(timeout))?;
            stream.set_write_timeout(Some(timeout))?;
            Ok(stream)
        };
        let stream = open().map_err(|source| HttpError::Io { peer, source })?;
        Ok(Self {
            stream,
            peer,
            buffer: vec![0; 16 << 10],
        })
    }

    /// Sends a whole request and reads its answer. After an error the connection is of no more use.
    pub fn exchange(&mut self, request: &[u8]) -> Result<Answer<'_>, HttpError> {
        let peer = self.peer;
        self.stream
            .write_all(request)
            .map_err(|source| HttpError::Io { peer, source })?;
        let mut filled = 0;
        let mut head = None;
        loop {
            filled += self.read_at(filled)?;
            if head.is_none() {
                head = Head::parse(&self.buffer[..filled])?;
            }
            let Some(head) = head.filter(|head| filled >= head.end()) else {
                continue;
            };
            return Ok(Answer {
                status: head.status,
                head: &self.buffer[..head.body_at],
                body: &self.buffer[head.body_at..head.end()],
            });
        }
    }

    fn read_at(&mut self, filled: usize) -> Result<usize, HttpError> {
        if filled == self.buffer.len() {
            self.buffer.resize(filled * 2, 0);
        }
        let io = |source| HttpError::Io {
            peer: self.peer,
            source,
        };
        match self.stream.read(&mut self.buffer[filled..]).map_err(io)? {
            0 => Err(io(io::ErrorKind::UnexpectedEof.into())),
            read => Ok(read),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::net::TcpListener;
    use std::thread;

    #[test]
    fn a_head_is_read_once_it_is_whole() {
        let text = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";
        for cut in 0..text.len() - 2 {
            assert_eq!(
                Head::parse(&text[..cut]).unwrap(),
                None,
                "after {cut} bytes"
            );
        }
        let expected = Head {
            status: 200,
            body_at: text.len() - 2,
            body_bytes: 2,
        };
        assert_eq!(Head::parse(text).unwrap(), Some(expected));
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for text in [
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            "HTTP/1.1 200 OK\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n",
            "SSH-2.0-OpenSSH\r\n\r\n",
        ] {
            assert!(Head::parse(text.as_bytes()).is_err(), "{text:?}");
        }
    }

    #[test]
    fn one_connection_serves_many_exchanges() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let peer = listener.local_addr().unwrap();
        let server = thread::spawn(move || serve_thrice(&listener));
        let mut connection = HttpConnection::connect(peer, Duration::from_secs(5)).unwrap();
        let bytes = request("POST", "/f", &[("x-a", "b")], b"event");
        for _ in 0..3 {
            let answer = connection.exchange(&bytes).unwrap();
            assert_eq!(
                (answer.status, answer.header("X-Kind")),
                (200, Some("test"))
            );
            assert_eq!(answer.body.len(), 40_000);
        }
        server.join().unwrap();
        assert!(
            connection.exchange(&bytes).is_err(),
            "the server has closed"
        );
    }

    fn serve_thrice(listener: &TcpListener) {
        let (mut stream, _) = listener.accept().unwrap();
        let expected = request("POST", "/f", &[("x-a", "b")], b"event");
        let mut got = vec![0; expected.len()];
        for _ in 0..3 {
            stream.read_exact(&mut got).unwrap();
            assert_eq!(got, expected);
            stream
                .write_all(b"HTTP/1.1 200 OK\r\nx-kind: test\r\n")
                .unwrap();
            stream.write_all(b"content-length: 40000\r\n\r\n").unwrap();
            stream.write_all(&[b'x'; 40_000]).unwrap();
        }
    }
}
