//! The two sockets of a link's name server.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::task::JoinSet;

use super::answer::answer;
use super::upstream::Transport;
use super::{Desk, MAX_CONNECTIONS, MAX_IN_FLIGHT, MAX_QUESTION_BYTES};

/// How long a connection may be silent.
const IDLE_LIMIT: Duration = Duration::from_secs(10);
/// The pause after an accept that failed: the process may be out of descriptors for the moment.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves until it is aborted; what is under way ends with it.
pub(super) async fn run(desk: Arc<Desk>, udp: UdpSocket, tcp: TcpListener) {
    tokio::join!(
        serve_datagrams(Arc::clone(&desk), Arc::new(udp)),
        serve_connections(desk, tcp)
    );
}

async fn serve_datagrams(desk: Arc<Desk>, socket: Arc<UdpSocket>) {
    let mut running = JoinSet::new();
    // One byte more, by which a question that is too long shows.
    let mut buffer = [0; MAX_QUESTION_BYTES + 1];
    loop {
        let received = tokio::select! {
            received = socket.recv_from(&mut buffer) => received,
            Some(_) = running.join_next() => continue,
        };
        // An error is that of an earlier answer, which its sandbox did not want any more.
        let Ok((len, peer)) = received else { continue };
        let question = buffer.get(..len).unwrap_or_default();
        let fits = (12..=MAX_QUESTION_BYTES).contains(&len) && running.len() < MAX_IN_FLIGHT;
        if !fits || !is_sandbox(&desk, peer) {
            continue;
        }
        let (desk, socket, question) =
            (Arc::clone(&desk), Arc::clone(&socket), question.to_owned());
        running.spawn(async move {
            if let Some(reply) = answer(&desk, &question, Transport::Udp).await {
                let _ = socket.send_to(&reply, peer).await;
            }
        });
    }
}

async fn serve_connections(desk: Arc<Desk>, listener: TcpListener) {
    let mut running = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = running.join_next() => continue,
        };
        match accepted {
            Ok((stream, peer)) => {
                if running.len() < MAX_CONNECTIONS && is_sandbox(&desk, peer) {
                    running.spawn(serve_connection(Arc::clone(&desk), stream));
                }
            }
            Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
        }
    }
}

/// Questions one after the other, each after its length (RFC 1035, 4.2.2).
async fn serve_connection(desk: Arc<Desk>, mut stream: TcpStream) -> io::Result<()> {
    loop {
        let question = tokio::time::timeout(IDLE_LIMIT, read_message(&mut stream)).await??;
        let Some(reply) = answer(&desk, &question, Transport::Tcp).await else {
            return Ok(());
        };
        let len = u16::try_from(reply.len()).map_err(io::Error::other)?;
        let mut message = len.to_be_bytes().to_vec();
        message.extend(reply);
        tokio::time::timeout(IDLE_LIMIT, stream.write_all(&message)).await??;
    }
}

async fn read_message(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let len = usize::from(stream.read_u16().await?);
    if !(12..=MAX_QUESTION_BYTES).contains(&len) {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut message = vec![0; len];
    stream.read_exact(&mut message).await?;
    Ok(message)
}

fn is_sandbox(desk: &Desk, peer: SocketAddr) -> bool {
    peer.ip() == IpAddr::V4(desk.sandbox)
}
