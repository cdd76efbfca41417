//! The handler behind a bare Unix socket.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use tempfile::TempDir;

use super::{script, write_scripts};
use crate::workload::Workload;

const READY_LIMIT: Duration = Duration::from_secs(30);
const CALL_LIMIT: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(5);
const PREFIX_BYTES: usize = 4;
const MAX_RESPONSE_BYTES: usize = 64 << 20;

/// A server process and one connection to it. Dropping it ends the process.
#[derive(Debug)]
pub(crate) struct UnixServer {
    child: Child,
    stream: UnixStream,
    message: Vec<u8>,
    buffer: Vec<u8>,
    // The socket and the programs.
    _folder: TempDir,
}

impl UnixServer {
    /// Starts the server of a workload and connects to it.
    pub(crate) fn start(workload: &Workload) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        write_scripts(folder.path())?;
        let socket = folder.path().join("socket");
        let mut child = Command::new(workload.language.interpreter())
            .arg(script(folder.path(), "unix_server", workload.language))
            .arg(&socket)
            .arg(&workload.package)
            .arg(&workload.function.handler)
            .env("LAMBDA_TASK_ROOT", &workload.package)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .with_context(|| format!("cannot start {}", workload.language.interpreter()))?;
        let stream = match connect(&mut child, &socket) {
            Ok(stream) => stream,
            Err(error) => {
                end(&mut child);
                return Err(error.context(format!("the baseline of {}", workload.name())));
            }
        };
        let message = message(&workload.event)?;
        Ok(Self {
            child,
            stream,
            message,
            buffer: vec![0; 16 << 10],
            _folder: folder,
        })
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends the event and reads the whole response.
    pub(crate) fn call(&mut self) -> anyhow::Result<&[u8]> {
        self.stream.write_all(&self.message)?;
        let mut filled = 0;
        loop {
            if filled == self.buffer.len() {
                self.buffer.resize(filled * 2, 0);
            }
            let read = self.stream.read(&mut self.buffer[filled..])?;
            ensure!(read > 0, "the baseline ended the connection");
            filled += read;
            if let Some(end) = end_of(&self.buffer[..filled])?
                && filled >= end
            {
                return Ok(&self.buffer[PREFIX_BYTES..end]);
            }
        }
    }
}

impl Drop for UnixServer {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

fn end(child: &mut Child) {
    let _ = child.kill();
    let _ = child.wait();
}

fn connect(child: &mut Child, socket: &Path) -> anyhow::Result<UnixStream> {
    let begun = Instant::now();
    loop {
        if let Ok(stream) = UnixStream::connect(socket) {
            stream.set_read_timeout(Some(CALL_LIMIT))?;
            return Ok(stream);
        }
        if let Some(status) = child.try_wait()? {
            bail!("the server ended with {status}");
        }
        ensure!(
            begun.elapsed() < READY_LIMIT,
            "the server did not become ready"
        );
        thread::sleep(PAUSE);
    }
}

/// An event behind its length.
fn message(event: &[u8]) -> anyhow::Result<Vec<u8>> {
    let length = u32::try_from(event.len()).context("the event is too long")?;
    Ok([&length.to_be_bytes(), event].concat())
}

/// Where the message ends that `bytes` begins with; none while its length is not there.
fn end_of(bytes: &[u8]) -> anyhow::Result<Option<usize>> {
    let Some(prefix) = bytes.first_chunk::<PREFIX_BYTES>() else {
        return Ok(None);
    };
    let length = u32::from_be_bytes(*prefix) as usize;
    ensure!(
        length <= MAX_RESPONSE_BYTES,
        "the response of {length} bytes is too long"
    );
    Ok(Some(PREFIX_BYTES + length))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn end_is_known_once_the_length_is_there() {
        let bytes = message(b"{}").unwrap();
        assert_eq!(end_of(&bytes[..3]).unwrap(), None);
        assert_eq!(end_of(&bytes).unwrap(), Some(bytes.len()));
        assert!(end_of(&[0xff; 4]).is_err());
    }
}
