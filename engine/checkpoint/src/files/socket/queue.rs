//! What waits to be read from a Unix socket, without reading it.

use std::io::{self, ErrorKind};
use std::os::fd::AsFd;

use offshoot_image::model::SocketKind;
use offshoot_sys::peek::{self, Peeked};
use rustix::io::ioctl_fionread;
use rustix::net::{RecvFlags, recv};

use super::super::description::Description;
use super::super::error::{FileError, Halt};
use super::super::obstacle::Obstacle;

/// Most bytes of a queue that are kept. `net.core.wmem_max` allows 208 KiB unless it was raised.
const QUEUE_BYTES_MAX: usize = 16 << 20;

/// Most messages of a queue that are kept: empty ones have no bytes to count.
const QUEUE_MESSAGES_MAX: usize = 65_536;

/// The messages of a queue; of a stream, all bytes as one message.
pub(super) fn read(
    description: &Description,
    kind: SocketKind,
    address: &[u8],
    peer_address: &[u8],
) -> Result<Vec<Vec<u8>>, Halt> {
    if kind == SocketKind::Stream {
        return stream(description, address);
    }
    let walk = Walk::begin(description)?;
    let messages = walk.messages(address, peer_address);
    walk.end()?;
    messages
}

fn stream(description: &Description, address: &[u8]) -> Result<Vec<Vec<u8>>, Halt> {
    let bytes = description.asked("the fill", ioctl_fionread(&description.file))?;
    let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
    if bytes == 0 {
        return Ok(Vec::new());
    }
    refuse_if(bytes > QUEUE_BYTES_MAX, address, "more than 16 MiB")?;
    let mut content = vec![0; bytes];
    let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
    let peeked = recv(&description.file, content.as_mut_slice(), flags);
    let (_, peeked) = description.asked("the content", peeked)?;
    // A peek ends where descriptors or an urgent byte (MSG_OOB) were sent.
    refuse_if(peeked != bytes, address, "urgent bytes or descriptors")?;
    Ok(vec![content])
}

/// A message and the address of who sent it.
struct Message {
    content: Vec<u8>,
    sender: Vec<u8>,
}

/// A walk through a queue of messages by `SO_PEEK_OFF`, which belongs to the socket and is taken
/// back at the end.
struct Walk<'a> {
    description: &'a Description,
}

impl<'a> Walk<'a> {
    fn begin(description: &'a Description) -> Result<Self, FileError> {
        let walk = Self { description };
        walk.set_offset(Some(0))?;
        Ok(walk)
    }

    fn end(self) -> Result<(), FileError> {
        self.set_offset(None)
    }

    fn set_offset(&self, offset: Option<u32>) -> Result<(), FileError> {
        let socket = self.description.file.as_fd();
        peek::set_offset(socket, offset).map_err(|source| self.failed(source))
    }

    fn messages(&self, address: &[u8], peer_address: &[u8]) -> Result<Vec<Vec<u8>>, Halt> {
        let mut messages = Vec::new();
        let mut total = 0;
        while let Some(message) = self.next(address)? {
            // A clone's messages come from the peer, or from a socket without address.
            let kept = message.sender.is_empty() || message.sender == peer_address;
            refuse_if(!kept, address, "messages of another sender than its peer")?;
            total += message.content.len();
            let too_much = total > QUEUE_BYTES_MAX || messages.len() >= QUEUE_MESSAGES_MAX;
            refuse_if(too_much, address, "more than 16 MiB or 65536 messages")?;
            messages.push(message.content);
        }
        Ok(messages)
    }

    /// The next message; none at the end of the queue.
    fn next(&self, address: &[u8]) -> Result<Option<Message>, Halt> {
        let Some(Peeked { bytes, sender }) = self.peek(&mut [])? else {
            return Ok(None);
        };
        refuse_if(bytes > QUEUE_BYTES_MAX, address, "more than 16 MiB")?;
        let mut content = vec![0; bytes];
        // The kernel steps over an empty message at once.
        if bytes > 0 {
            self.peek(&mut content)?;
        }
        Ok(Some(Message { content, sender }))
    }

    /// Peeks at the next message; the walk goes on by as much as `buffer` got. None at the end of
    /// the queue, and for a socket that was never connected.
    fn peek(&self, buffer: &mut [u8]) -> Result<Option<Peeked>, FileError> {
        peek::message(self.description.file.as_fd(), buffer)
            .map(Some)
            .or_else(|source| match source.kind() {
                ErrorKind::WouldBlock | ErrorKind::NotConnected => Ok(None),
                _ => Err(self.failed(source)),
            })
    }

    fn failed(&self, source: io::Error) -> FileError {
        FileError::Query {
            descriptor: self.description.first(),
            what: "the content",
            source,
        }
    }
}

fn refuse_if(refused: bool, address: &[u8], what: &'static str) -> Result<(), Halt> {
    if !refused {
        return Ok(());
    }
    let address = address.to_vec();
    Err(Obstacle::UnixQueue { address, what }.into())
}
