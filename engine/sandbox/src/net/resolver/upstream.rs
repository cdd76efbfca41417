//! Asking the configured name servers.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use hickory_proto::op::{Edns, Message, MessageType, Query};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};

/// How long one server is waited for.
const SERVER_LIMIT: Duration = Duration::from_secs(2);
/// How many of the servers are asked, one after the other.
const MAX_SERVERS: usize = 3;
/// The longest answer by UDP: what passes every network in one piece.
const MAX_DATAGRAM_BYTES: u16 = 1232;

/// How a question came, and how it is passed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Transport {
    Udp,
    Tcp,
}

/// The first server's answer, or the next one's if it gives none.
pub(super) async fn ask(
    servers: &[IpAddr],
    question: &Query,
    transport: Transport,
) -> io::Result<Message> {
    let mut failure = io::Error::from(io::ErrorKind::NotFound);
    for server in servers.iter().take(MAX_SERVERS) {
        let server = SocketAddr::new(*server, 53);
        let asked = tokio::time::timeout(SERVER_LIMIT, ask_one(server, question, transport));
        match asked.await {
            Ok(Ok(reply)) => return Ok(reply),
            Ok(Err(error)) => failure = error,
            Err(elapsed) => failure = elapsed.into(),
        }
    }
    Err(failure)
}

async fn ask_one(
    server: SocketAddr,
    question: &Query,
    transport: Transport,
) -> io::Result<Message> {
    // A number by chance, and a port of the kernel's choice: what a forger would have to guess.
    let mut message = Message::query();
    message.metadata.recursion_desired = true;
    message.add_query(question.clone());
    let mut edns = Edns::new();
    edns.set_max_payload(MAX_DATAGRAM_BYTES);
    message.set_edns(edns);
    let bytes = message.to_vec().map_err(io::Error::other)?;
    match transport {
        Transport::Udp => by_datagram(server, &message, &bytes).await,
        Transport::Tcp => by_connection(server, &message, &bytes).await,
    }
}

async fn by_datagram(server: SocketAddr, asked: &Message, bytes: &[u8]) -> io::Result<Message> {
    let any = match server {
        SocketAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        SocketAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    };
    let socket = UdpSocket::bind((any, 0)).await?;
    socket.connect(server).await?;
    socket.send(bytes).await?;
    let mut buffer = vec![0; usize::from(MAX_DATAGRAM_BYTES)];
    loop {
        let len = socket.recv(&mut buffer).await?;
        let reply = Message::from_vec(buffer.get(..len).unwrap_or_default());
        // Anything else is a forgery or late; the right one may still come.
        if let Some(reply) = reply.ok().filter(|reply| belongs(reply, asked)) {
            return Ok(reply);
        }
    }
}

async fn by_connection(server: SocketAddr, asked: &Message, bytes: &[u8]) -> io::Result<Message> {
    let mut stream = TcpStream::connect(server).await?;
    let len = u16::try_from(bytes.len()).map_err(io::Error::other)?;
    let mut message = len.to_be_bytes().to_vec();
    message.extend_from_slice(bytes);
    stream.write_all(&message).await?;
    // 16 bits: at most 64 KiB.
    let mut reply = vec![0; usize::from(stream.read_u16().await?)];
    stream.read_exact(&mut reply).await?;
    let reply = Message::from_vec(&reply).map_err(io::Error::other)?;
    if !belongs(&reply, asked) {
        return Err(io::ErrorKind::InvalidData.into());
    }
    Ok(reply)
}

fn belongs(reply: &Message, asked: &Message) -> bool {
    reply.metadata.id == asked.metadata.id
        && reply.metadata.message_type == MessageType::Response
        && reply.queries == asked.queries
}
