//! The call in which a clone begins: its seed has sent the request, and the clone waits for the answer.

use std::io;
use std::net::TcpStream as StdTcpStream;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::oneshot;

use super::answers::RESTORED;

/// A connection on which a request counts as read, and its answer is due.
#[derive(Debug)]
pub(super) struct HeldCall {
    stream: TcpStream,
    due: oneshot::Receiver<()>,
}

impl HeldCall {
    /// `stream` does not block; nothing was sent on it yet. The answer is sent when the sender is used.
    pub(super) fn new(stream: StdTcpStream) -> io::Result<(Self, oneshot::Sender<()>)> {
        let (go_on, due) = oneshot::channel();
        let stream = TcpStream::from_std(stream)?;
        Ok((Self { stream, due }, go_on))
    }

    /// Answers when it is due. The connection then is one like all others; none if it has ended.
    pub(super) async fn answered(mut self) -> Option<TcpStream> {
        self.due.await.ok()?;
        self.stream.write_all(RESTORED).await.ok()?;
        Some(self.stream)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use tokio::io::AsyncReadExt;
    use tokio::net::TcpListener;

    use super::*;

    async fn pair() -> (StdTcpStream, TcpStream) {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap());
        let (client, accepted) = tokio::join!(client, listener.accept());
        (accepted.unwrap().0.into_std().unwrap(), client.unwrap())
    }

    #[tokio::test]
    async fn answer_comes_when_it_is_due_and_not_before() {
        let (server, mut client) = pair().await;
        let (held, go_on) = HeldCall::new(server).unwrap();
        let answered = tokio::spawn(held.answered());
        tokio::task::yield_now().await;
        assert!(client.try_read(&mut [0; 1]).is_err(), "an answer is there");
        go_on.send(()).unwrap();
        let mut heard = vec![0; RESTORED.len()];
        client.read_exact(&mut heard).await.unwrap();
        assert_eq!(heard, RESTORED);
        assert!(answered.await.unwrap().is_some(), "the connection ended");
    }

    #[tokio::test]
    async fn clone_that_never_gets_an_event_gets_no_answer() {
        let (server, mut client) = pair().await;
        let (held, go_on) = HeldCall::new(server).unwrap();
        drop(go_on);
        assert!(held.answered().await.is_none());
        let mut heard = Vec::new();
        client.read_to_end(&mut heard).await.unwrap();
        assert_eq!(heard, b"");
    }
}
