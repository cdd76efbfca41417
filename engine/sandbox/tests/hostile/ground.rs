//! The ground of a fight: a code directory full of traps, a layer, and a place outside that holds the secret.

use std::fs;
use std::io::Write as _;
use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FileType, Mode, XattrFlags};

/// Where everything lies: not in `/tmp`, which controls cover with one of their own, and open to every user.
const BASE: &str = "/var/tmp";
/// What the attacks look for; followed by 32 digits that differ in each place.
const SECRET: &str = "hostile-secret-";

pub struct Ground {
    directory: tempfile::TempDir,
    /// In `outside/secret`, and whatever else no sandbox may read.
    pub host_secret: String,
    /// In the code directory: for attacks that succeed by reading it in a way they must not have.
    pub tenant_secret: String,
    port: u16,
    name: String,
}

impl Ground {
    pub fn new() -> Self {
        let directory = tempfile::tempdir_in(BASE).unwrap();
        let name = format!("hostile{}", directory.path().display());
        let ground = Self {
            host_secret: secret(),
            tenant_secret: secret(),
            port: 0,
            name,
            directory,
        };
        open_to_all(ground.directory.path());
        for path in [
            "outside",
            "code",
            "code/planted",
            "code/planted/targets",
            "layer",
        ] {
            fs::create_dir(ground.path(path)).unwrap();
            open_to_all(&ground.path(path));
        }
        ground.write("outside/secret", &ground.host_secret, 0o644);
        ground.write("code/token", &ground.tenant_secret, 0o644);
        ground.copy_programs();
        ground.open_directories();
        ground.plant_links();
        ground.plant_files();
        ground.serve()
    }

    pub fn path(&self, relative: &str) -> PathBuf {
        self.directory.path().join(relative)
    }

    /// What an attack is told, the code directory and the layer being at these paths for it.
    pub fn environment(&self, code: &str, layer: &str) -> Vec<(String, String)> {
        let outside = self.path("outside/secret").display().to_string();
        [
            ("HOSTILE_CODE", code),
            ("HOSTILE_LAYER", layer),
            ("HOSTILE_OUTSIDE", &outside),
            ("HOSTILE_PORT", &self.port.to_string()),
            ("HOSTILE_ABSTRACT", &self.name),
            ("HOSTILE_HANDLE", &self.handle()),
            ("PATH", "/usr/bin:/bin"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec()
    }

    /// The contents of all that attacks try to change.
    pub fn open_files(&self) -> Vec<(PathBuf, String)> {
        let mut files = Vec::new();
        for directory in ["code/open", "layer/open"] {
            for entry in fs::read_dir(self.path(directory)).unwrap().flatten() {
                files.push((entry.path(), fs::read_to_string(entry.path()).unwrap()));
            }
        }
        files.sort();
        files
    }

    fn write(&self, relative: &str, text: &str, mode: u32) {
        let path = self.path(relative);
        fs::write(&path, format!("{text}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    }

    fn copy_programs(&self) {
        for entry in fs::read_dir(programs()).unwrap().flatten() {
            let path = self.path("code").join(entry.file_name());
            if entry.path().is_file() {
                fs::copy(entry.path(), path).unwrap();
            }
        }
    }

    /// Directories and files that everybody may write to, so that nothing but the mount protects them.
    fn open_directories(&self) {
        for directory in ["code/open", "layer/open"] {
            fs::create_dir(self.path(directory)).unwrap();
            open_to_all(&self.path(directory));
            for name in ["file", "victim", "name", "mapped", "forced", "piped"] {
                self.write(&format!("{directory}/{name}"), "original", 0o666);
            }
        }
    }

    fn plant_links(&self) {
        let secret = self.path("outside/secret").display().to_string();
        let up = "../".repeat(40);
        let links = [
            ("absolute", secret.clone()),
            ("relative", format!("{up}{secret}")),
            ("init_root", format!("/proc/1/root{secret}")),
            ("self_root", format!("/proc/self/root/{up}{secret}")),
            ("self_cwd", format!("/proc/self/cwd/{up}{secret}")),
            (
                "daemon_root",
                format!("/proc/{}/root{secret}", std::process::id()),
            ),
        ];
        for (name, target) in links {
            symlink(target, self.path("code/planted").join(name)).unwrap();
        }
        symlink(&secret, self.path("layer/absolute")).unwrap();
        for name in ["proc", "tmp", "dev", "etc", "var", "opt", "run"] {
            let target = self.path("outside").display().to_string();
            symlink(target, self.path("code/planted/targets").join(name)).unwrap();
        }
    }

    /// Devices, set-user-id programs, capabilities: what an unpacker must never make, made anyway.
    fn plant_files(&self) {
        self.write("code/planted/private", &self.host_secret, 0o600);
        self.write("outside/private", &self.host_secret, 0o600);
        fs::hard_link(self.path("outside/private"), self.path("code/planted/hard")).unwrap();
        let devices = [
            ("disk", FileType::BlockDevice, 7, 0),
            ("kmsg", FileType::CharacterDevice, 1, 11),
            ("null", FileType::CharacterDevice, 1, 3),
        ];
        for (name, kind, major, minor) in devices {
            let path = self.path("code/planted").join(name);
            let number = rustix::fs::makedev(major, minor);
            rustix::fs::mknodat(CWD, &path, kind, Mode::empty(), number).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
        }
        self.copy_with_mode("/usr/bin/id", "code/planted/suid", 0o4755);
        self.copy_with_mode("/usr/bin/cat", "code/planted/capable", 0o755);
        // struct vfs_cap_data, revision 2, effective: CAP_DAC_READ_SEARCH (capabilities(7)).
        let mut capability = [0; 20];
        capability[..4].copy_from_slice(&0x0200_0001_u32.to_le_bytes());
        capability[4..8].copy_from_slice(&(1_u32 << 2).to_le_bytes());
        let path = self.path("code/planted/capable");
        rustix::fs::setxattr(
            path,
            "security.capability",
            &capability,
            XattrFlags::empty(),
        )
        .unwrap();
    }

    fn copy_with_mode(&self, from: &str, to: &str, mode: u32) {
        fs::copy(from, self.path(to)).unwrap();
        fs::set_permissions(self.path(to), fs::Permissions::from_mode(mode)).unwrap();
    }

    /// Gives the secret to whoever connects: on the host's loopback, an abstract socket and a path.
    fn serve(mut self) -> Self {
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        self.port = tcp.local_addr().unwrap().port();
        let address = SocketAddr::from_abstract_name(&self.name).unwrap();
        let listeners = [
            UnixListener::bind_addr(&address).unwrap(),
            UnixListener::bind(self.path("outside/socket")).unwrap(),
        ];
        open_to_all(&self.path("outside/socket"));
        let secret = self.host_secret.clone();
        std::thread::spawn(move || {
            while let Ok((mut stream, _)) = tcp.accept() {
                let _ = stream.write_all(secret.as_bytes());
            }
        });
        for listener in listeners {
            let secret = self.host_secret.clone();
            std::thread::spawn(move || {
                while let Ok((mut stream, _)) = listener.accept() {
                    let _ = stream.write_all(secret.as_bytes());
                }
            });
        }
        self
    }

    /// `TYPE:HEX`, the file handle of the secret, as a tenant might guess one.
    fn handle(&self) -> String {
        let script = "import ctypes, sys; h = ctypes.create_string_buffer(136); h[0:4] = (128).to_bytes(4, 'little')\n\
            m = ctypes.c_int(); l = ctypes.CDLL(None)\n\
            assert l.name_to_handle_at(-100, sys.argv[1].encode(), h, ctypes.byref(m), 0) == 0\n\
            n = int.from_bytes(h.raw[:4], 'little'); t = int.from_bytes(h.raw[4:8], 'little', signed=True)\n\
            print(f'{t}:{h.raw[8:8 + n].hex()}')";
        let path = self.path("outside/secret").display().to_string();
        let output = std::process::Command::new("/usr/bin/python3")
            .args(["-SEc", script, &path])
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }
}

/// The attack programs, as they lie in the source tree.
pub fn programs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/hostile/attacks")
}

fn secret() -> String {
    let uuid = fs::read_to_string("/proc/sys/kernel/random/uuid").unwrap();
    let digits: String = uuid.chars().filter(char::is_ascii_hexdigit).collect();
    format!("{SECRET}{digits}")
}

fn open_to_all(path: &Path) {
    fs::set_permissions(path, fs::Permissions::from_mode(0o777)).unwrap();
}
