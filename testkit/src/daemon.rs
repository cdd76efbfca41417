//! The built program as a child process, with a state directory and a loopback port of its own.

use std::env;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};
use tempfile::TempDir;

use crate::http1::{HttpConnection, request};

/// Where the program is if the caller does not say.
const BIN_VARIABLE: &str = "OFFSHOOT_BIN";
/// How long a start and an orderly end may take.
const READY_LIMIT: Duration = Duration::from_secs(30);
const STOP_LIMIT: Duration = Duration::from_secs(30);
/// How long a dropped daemon may take before it is killed.
const DROP_LIMIT: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(5);
/// How much of its log an error shows.
const SHOWN_LOG_BYTES: usize = 2000;

/// Why the daemon did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    /// Neither the caller nor the environment says where the program is.
    #[error("no program: set {BIN_VARIABLE} to the path of the offshoot program")]
    NoProgram,
    /// Files, ports or processes could not be had.
    #[error("cannot {action}")]
    Prepare {
        /// What was tried.
        action: String,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// It ended before it was ready.
    #[error("the daemon ended at its start with {status}; it said:\n{log}")]
    Ended {
        /// How.
        status: ExitStatus,
        /// The end of its log.
        log: String,
    },
    /// It did not become ready.
    #[error("the daemon was not ready after {} s; it said:\n{log}", READY_LIMIT.as_secs())]
    NotReady {
        /// The end of its log.
        log: String,
    },
    /// It did not end.
    #[error("the daemon did not end within {} s of SIGTERM; it said:\n{log}", STOP_LIMIT.as_secs())]
    Hangs {
        /// The end of its log.
        log: String,
    },
    /// It ended with a failure.
    #[error("the daemon ended with {status} after SIGTERM; it said:\n{log}")]
    BadEnd {
        /// How.
        status: ExitStatus,
        /// The end of its log.
        log: String,
    },
}

/// How the daemon is started. The default: the program that `OFFSHOOT_BIN` names, a temporary state directory.
#[derive(Debug, Clone, Default)]
pub struct DaemonOptions {
    /// The program.
    pub bin: Option<PathBuf>,
    /// A directory that is kept; otherwise one that goes with the daemon.
    pub state_dir: Option<PathBuf>,
    /// Environment variables, such as `OFFSHOOT_LOGS_SEGMENT_BYTES`.
    pub env: Vec<(String, String)>,
    /// Arguments after those of `serve`.
    pub args: Vec<String>,
}

/// A running daemon. Dropping it ends it (`SIGTERM`, then `SIGKILL`), and only it.
#[derive(Debug)]
pub struct Daemon {
    options: DaemonOptions,
    bin: PathBuf,
    address: SocketAddr,
    state_dir: PathBuf,
    // Holds the log, and the state directory if the caller gave none.
    folder: TempDir,
    child: Option<Child>,
}

impl Daemon {
    /// Starts the daemon and waits until it answers.
    pub fn start(options: DaemonOptions) -> Result<Self, DaemonError> {
        let named = options
            .bin
            .clone()
            .or_else(|| env::var_os(BIN_VARIABLE).map(PathBuf::from));
        let bin = named.ok_or(DaemonError::NoProgram)?;
        let folder = tempfile::Builder::new().prefix("offshoot-").tempdir();
        let folder = folder.map_err(failed("make a temporary directory"))?;
        let state_dir = options
            .state_dir
            .clone()
            .unwrap_or_else(|| folder.path().join("state"));
        fs::create_dir_all(&state_dir).map_err(failed("make the state directory"))?;
        let address = free_port().map_err(failed("find a free port"))?;
        let mut daemon = Self {
            options,
            bin,
            address,
            state_dir,
            folder,
            child: None,
        };
        daemon.launch()?;
        Ok(daemon)
    }

    /// `http://127.0.0.1:PORT`.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where its state is.
    pub fn state_dir(&self) -> &Path {
        &self.state_dir
    }

    /// Its process id; none after its end.
    pub fn pid(&self) -> Option<i32> {
        self.child
            .as_ref()
            .and_then(|child| i32::try_from(child.id()).ok())
    }

    /// All that it has printed, over all of its lives.
    pub fn log(&self) -> String {
        let bytes = fs::read(self.log_path()).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Asks it to end and requires exit status 0. Does nothing if it has ended already.
    pub fn stop(&mut self) -> Result<(), DaemonError> {
        let Some(mut child) = self.child.take() else {
            return Ok(());
        };
        terminate(&child);
        match wait(&mut child, STOP_LIMIT) {
            Some(status) if status.success() => Ok(()),
            Some(status) => Err(DaemonError::BadEnd {
                status,
                log: self.log_end(),
            }),
            None => {
                kill(&mut child);
                Err(DaemonError::Hangs {
                    log: self.log_end(),
                })
            }
        }
    }

    /// Kills it on the spot (`SIGKILL`) and waits until the kernel has ended it.
    pub fn kill9(&mut self) {
        if let Some(mut child) = self.child.take() {
            kill(&mut child);
        }
    }

    /// Starts it again with the same directory and port, after [`stop`](Self::stop) or
    /// [`kill9`](Self::kill9); one that still runs is stopped first.
    pub fn restart(&mut self) -> Result<(), DaemonError> {
        self.stop()?;
        self.launch()
    }

    fn launch(&mut self) -> Result<(), DaemonError> {
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.log_path());
        let log = log.map_err(failed("open the daemon's log"))?;
        let errors = log.try_clone().map_err(failed("open the daemon's log"))?;
        self.child = Some(self.spawn(log, errors)?);
        self.wait_ready()
    }

    fn spawn(&self, log: File, errors: File) -> Result<Child, DaemonError> {
        Command::new(&self.bin)
            .args([
                "serve",
                "--listen",
                &self.address.to_string(),
                "--state-dir",
            ])
            .arg(&self.state_dir)
            .args(&self.options.args)
            .envs(self.options.env.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(errors)
            .spawn()
            .map_err(failed(format!("start {}", self.bin.display())))
    }

    fn wait_ready(&mut self) -> Result<(), DaemonError> {
        let begun = Instant::now();
        while begun.elapsed() < READY_LIMIT {
            if let Some(child) = &mut self.child
                && let Ok(Some(status)) = child.try_wait()
            {
                self.child = None;
                return Err(DaemonError::Ended {
                    status,
                    log: self.log_end(),
                });
            }
            if healthy(self.address) {
                return Ok(());
            }
            thread::sleep(PAUSE);
        }
        Err(DaemonError::NotReady {
            log: self.log_end(),
        })
    }

    fn log_path(&self) -> PathBuf {
        self.folder.path().join("daemon.log")
    }

    fn log_end(&self) -> String {
        let log = self.log();
        let start = log.len().saturating_sub(SHOWN_LOG_BYTES);
        let start = (start..=log.len())
            .find(|&at| log.is_char_boundary(at))
            .unwrap_or_default();
        log[start..].to_owned()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let Some(mut child) = self.child.take() else {
            return;
        };
        terminate(&child);
        if wait(&mut child, DROP_LIMIT).is_none() {
            kill(&mut child);
        }
    }
}

fn failed(action: impl Into<String>) -> impl FnOnce(io::Error) -> DaemonError {
    let action = action.into();
    |source| DaemonError::Prepare { action, source }
}

/// A port that was free a moment ago.
fn free_port() -> io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}

fn healthy(address: SocketAddr) -> bool {
    let Ok(mut connection) = HttpConnection::connect(address, Duration::from_secs(1)) else {
        return false;
    };
    let headers = [("connection", "close")];
    let answer = connection.exchange(&request("GET", "/offshoot/v1/health", &headers, b""));
    answer.is_ok_and(|answer| answer.status == 200)
}

/// The child has not been waited for, so that the id is still its own.
fn terminate(child: &Child) {
    if let Some(pid) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        let _ = rustix::process::kill_process(pid, Signal::TERM);
    }
}

fn kill(child: &mut Child) {
    let _ = child.kill();
    let _ = child.wait();
}

fn wait(child: &mut Child, limit: Duration) -> Option<ExitStatus> {
    let begun = Instant::now();
    loop {
        if let Ok(Some(status)) = child.try_wait() {
            return Some(status);
        }
        if begun.elapsed() > limit {
            return None;
        }
        thread::sleep(PAUSE);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    /// A stand-in for the daemon: answers the health check, ends at SIGTERM with the status in `CODE`.
    const STAND_IN: &str = r#"#!/usr/bin/python3
import http.server, os, signal, sys
signal.signal(signal.SIGTERM, lambda *_: os._exit(int(os.environ.get("CODE", "0"))))
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        self.send_response(200 if self.path == "/offshoot/v1/health" else 404)
        self.send_header("Content-Length", "0")
        self.end_headers()
assert sys.argv[1:2] + sys.argv[2::2] == ["serve", "--listen", "--state-dir"], sys.argv
if os.environ.get("FAIL"):
    sys.exit("no such luck")
host, port = sys.argv[3].split(":")
http.server.ThreadingHTTPServer.allow_reuse_address = True
http.server.ThreadingHTTPServer((host, int(port)), Handler).serve_forever()
"#;

    fn start(env: &[(&str, &str)]) -> (TempDir, Result<Daemon, DaemonError>) {
        let folder = tempfile::tempdir().unwrap();
        let bin = folder.path().join("stand-in");
        fs::write(&bin, STAND_IN).unwrap();
        fs::set_permissions(&bin, fs::Permissions::from_mode(0o755)).unwrap();
        let env = env
            .iter()
            .map(|(name, value)| ((*name).into(), (*value).into()))
            .collect();
        let options = DaemonOptions {
            bin: Some(bin),
            env,
            ..DaemonOptions::default()
        };
        (folder, Daemon::start(options))
    }

    #[test]
    fn daemon_lives_dies_and_lives_again_at_the_same_address() {
        let (_folder, daemon) = start(&[]);
        let mut daemon = daemon.unwrap();
        let (address, first) = (daemon.address(), daemon.pid().unwrap());
        daemon.kill9();
        assert!(!healthy(address));
        assert_eq!(daemon.pid(), None);
        daemon.restart().unwrap();
        assert!(healthy(address));
        assert_ne!(daemon.pid().unwrap(), first);
        daemon.stop().unwrap();
        assert!(!healthy(address));
    }

    #[test]
    fn dropped_daemon_is_ended() {
        let (_folder, daemon) = start(&[]);
        let daemon = daemon.unwrap();
        let (address, folder) = (daemon.address(), daemon.folder.path().to_owned());
        drop(daemon);
        assert!(!healthy(address));
        assert!(!folder.exists());
    }

    #[test]
    fn failing_start_shows_what_the_daemon_said() {
        let (_folder, daemon) = start(&[("FAIL", "1")]);
        let error = daemon.unwrap_err();
        assert!(matches!(error, DaemonError::Ended { .. }), "{error:?}");
        assert!(error.to_string().contains("no such luck"), "{error}");
    }

    #[test]
    fn failing_end_is_an_error() {
        let (_folder, daemon) = start(&[("CODE", "3")]);
        let error = daemon.unwrap().stop().unwrap_err();
        assert!(matches!(error, DaemonError::BadEnd { status, .. } if status.code() == Some(3)));
    }
}
