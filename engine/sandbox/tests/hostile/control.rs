//! Controls: the same attack with a defence off.

use std::process::{Command, Stdio};

use crate::ground::Ground;

/// A user of no sandbox and no person.
const USER: &str = "64999";
/// What a control in namespaces of its own finds: a `/proc` and a `/tmp` that end with it; PID 1 is a shell.
const OWN_PLACES: &str = "mount -t tmpfs -o mode=1777 none /tmp && mount -t tmpfs -o mode=1777 none /dev/shm && \
                          \"$@\"; exit $?";
/// The loopback of a new network namespace is down (SIOCSIFFLAGS; not every machine has `ip`).
const LOOPBACK_UP: &str = "/usr/bin/python3 -SEc \"import fcntl, socket, struct; \
                           fcntl.ioctl(socket.socket(), 0x8914, struct.pack('16sh14x', b'lo', 0x49))\" && ";

/// Which defence is off, and how the program runs then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Control {
    /// None is on: a child of this process, as root, with all it inherits.
    Child,
    /// No filter: a user without rights, in namespaces of its own.
    User,
    /// Nor `no_new_privs`: the same, but an executable may give it rights.
    UserMayGain,
    /// The same user has this capability.
    Capability(&'static str),
    /// No filter, all capabilities; in namespaces of its own, so that the host stays as it is.
    Root,
    /// As [`Control::Root`], after an argument of the program's that plants what the attack finds.
    Planted(&'static str),
    /// As [`Control::User`], likewise.
    PlantedUser(&'static str),
    /// A bug or a right that this kernel does not have any more, or that root of this machine need not have: the program's
    /// `NAME_mechanism` shows what the attack rests on.
    Mechanism(&'static str),
    /// The kernel may have been built without it, or the machine lack the device: then the control, which has all
    /// rights, is told that it does not exist.
    MayBeAbsent(&'static str),
}

/// How the kernel says "there is no such thing"; never how it says "you may not".
const ABSENT: &[&str] = &[
    "ENOSYS",
    "ENOENT",
    "ENODEV",
    "ENXIO",
    "EINVAL",
    "EAFNOSUPPORT",
    "EPROTONOSUPPORT",
    "ESOCKTNOSUPPORT",
    "EOPNOTSUPP",
    "ENOTSUP",
    "empty",
    "zero",
    "no such",
    "no hierarchy",
];

impl Control {
    /// The line that the program prints.
    pub fn run(self, ground: &Ground, program: &str, name: &str) -> String {
        let name = match self {
            Self::Mechanism(_) => format!("{name}_mechanism"),
            _ => name.to_owned(),
        };
        let code = ground.path("code").display().to_string();
        let layer = ground.path("layer").display().to_string();
        let mut command = self.wrapped();
        command.args(["/usr/bin/python3", "-SEB"]);
        command.arg(format!("{code}/{program}"));
        if let Self::Planted(argument) | Self::PlantedUser(argument) = self {
            command.arg(argument);
        }
        command.arg(name).current_dir("/").stdin(Stdio::null());
        command.envs(ground.environment(&code, &layer));
        let output = command.output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        format!("{}{errors}", String::from_utf8_lossy(&output.stdout))
    }

    fn wrapped(self) -> Command {
        // `env` for a plain child, so that the program comes last in every case.
        let mut command = Command::new("/usr/bin/env");
        if self == Self::Child {
            return command;
        }
        command.args([
            "unshare", "--mount", "--uts", "--ipc", "--net", "--pid", "--fork",
        ]);
        let mut script = OWN_PLACES.to_owned();
        if let Self::PlantedUser(_) = self {
            script.insert_str(0, LOOPBACK_UP);
        }
        command.args(["--mount-proc", "--kill-child", "sh", "-c", &script, "sh"]);
        let user = ["--reuid", USER, "--regid", USER, "--clear-groups"];
        match self {
            Self::User | Self::PlantedUser(_) => {
                command.arg("setpriv").args(user).arg("--no-new-privs");
            }
            Self::UserMayGain => {
                command.arg("setpriv").args(user);
            }
            Self::Capability(name) => {
                let added = format!("+{name}");
                command.arg("setpriv").args(user);
                command.args(["--inh-caps", &added, "--ambient-caps", &added]);
            }
            _ => {}
        }
        command
    }

    /// Whether a refusal of the control only says that the thing does not exist here.
    pub fn accepts_absence(self, line: &str) -> bool {
        matches!(self, Self::MayBeAbsent(_))
            && line.starts_with("refused ")
            && ABSENT.iter().any(|word| line.contains(word))
    }
}
