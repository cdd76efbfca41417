//! The configuration of a container that has what a sandbox of offshoot has.
//!
//! Fields follow the Open Container Initiative's Runtime Specification 1.0.2, `config.md` and
//! `config-linux.md`.

use std::path::Path;

use serde_json::{Value, json};

use crate::workload::Workload;

/// Where the programs of the baselines are inside the container.
pub(super) const SCRIPTS_AT: &str = "/opt/baseline";
/// Where the function is.
const TASK_AT: &str = "/var/task";
/// What interpreters read from `/etc`; those that the host has are mounted.
const ETC: [&str; 7] = [
    "/etc/alternatives",
    "/etc/group",
    "/etc/ld.so.cache",
    "/etc/localtime",
    "/etc/nsswitch.conf",
    "/etc/passwd",
    "/etc/ssl",
];
const NAMESPACES: [&str; 5] = ["pid", "ipc", "uts", "mount", "network"];
/// One CPU in AWS Lambda's proportion of memory to CPU.
const MB_PER_CPU: u64 = 1769;
const MAX_TASKS: u64 = 1024;
/// Nobody.
const USER: u32 = 65_534;

/// The host paths of `/etc` that exist.
pub(super) fn present_etc() -> Vec<&'static str> {
    ETC.into_iter()
        .filter(|path| Path::new(path).exists())
        .collect()
}

/// `config.json` for one workload.
pub(super) fn config(workload: &Workload, scripts: &Path, etc: &[&str]) -> Value {
    let script = super::script(Path::new(SCRIPTS_AT), "oneshot", workload.language);
    // Directly below the root, so that runc leaves no parent behind.
    let group = format!("/offshoot-baseline-{}", workload.name());
    let args = json!([
        workload.language.interpreter(),
        script,
        TASK_AT,
        workload.function.handler
    ]);
    let mut mounts = mounts(&workload.package, etc);
    mounts.push(bound(scripts, SCRIPTS_AT));
    container(&Contents {
        args,
        root: Path::new("rootfs"),
        mounts,
        group,
        memory_mb: u64::from(workload.function.memory_mb),
    })
}

/// `config.json` for a container in which nothing is run; `group` tells it from others.
pub(super) fn empty(
    root: &Path,
    code: &Path,
    group: String,
    memory_mb: u64,
    etc: &[&str],
) -> Value {
    container(&Contents {
        args: json!(["/usr/bin/true"]),
        root,
        mounts: mounts(code, etc),
        group,
        memory_mb,
    })
}

/// What differs between containers.
struct Contents<'a> {
    args: Value,
    root: &'a Path,
    mounts: Vec<Value>,
    group: String,
    memory_mb: u64,
}

fn container(contents: &Contents<'_>) -> Value {
    let memory_mb = contents.memory_mb;
    let namespaces = NAMESPACES.map(|kind| json!({ "type": kind }));
    json!({
        "ociVersion": "1.0.2",
        "process": {
            "terminal": false,
            "user": { "uid": USER, "gid": USER },
            "args": contents.args,
            "env": [
                "PATH=/usr/local/bin:/usr/bin:/bin",
                "LANG=C.UTF-8",
                "TZ=:UTC",
                "HOME=/tmp",
                "LD_LIBRARY_PATH=/var/task:/var/task/lib:/opt/lib",
                format!("LAMBDA_TASK_ROOT={TASK_AT}"),
            ],
            "cwd": TASK_AT,
            "capabilities": {},
            "noNewPrivileges": true,
        },
        "root": { "path": contents.root, "readonly": true },
        "hostname": "baseline",
        "mounts": contents.mounts,
        "linux": {
            "namespaces": namespaces,
            "cgroupsPath": contents.group,
            "resources": {
                "memory": { "limit": memory_mb << 20 },
                "cpu": { "shares": 1024 * memory_mb / MB_PER_CPU },
                "pids": { "limit": MAX_TASKS },
            },
        },
    })
}

/// Without the programs of the baselines.
fn mounts(code: &Path, etc: &[&str]) -> Vec<Value> {
    let tmpfs = |at: &str, options: &[&str]| json!({ "destination": at, "type": "tmpfs", "source": "tmpfs", "options": options });
    let mut all = vec![
        json!({ "destination": "/proc", "type": "proc", "source": "proc" }),
        tmpfs("/dev", &["nosuid", "strictatime", "mode=755", "size=64k"]),
        tmpfs("/dev/shm", &["nosuid", "nodev", "mode=1777", "size=64m"]),
        tmpfs("/tmp", &["nosuid", "nodev", "mode=1777", "size=512m"]),
        bound(Path::new("/usr"), "/usr"),
        bound(code, TASK_AT),
    ];
    all.extend(etc.iter().map(|path| bound(Path::new(path), path)));
    all
}

/// A directory or file of the host, read-only.
fn bound(from: &Path, at: &str) -> Value {
    let options = ["rbind", "ro", "nosuid", "nodev"];
    json!({ "destination": at, "type": "bind", "source": from, "options": options })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::example;

    fn mount_of<'a>(config: &'a Value, at: &str) -> &'a Value {
        let all = config["mounts"].as_array().map_or(&[][..], Vec::as_slice);
        all.iter()
            .find(|mount| mount["destination"] == at)
            .unwrap_or(&Value::Null)
    }

    #[test]
    fn container_runs_the_same_handler_with_the_same_limits() {
        let found = config(&example("html", 256), Path::new("/s"), &[]);
        let args = [
            "/usr/bin/python3",
            "/opt/baseline/oneshot.py",
            "/var/task",
            "app.handler",
        ];
        assert_eq!(found["process"]["args"], json!(args));
        assert_eq!(found["linux"]["resources"]["memory"]["limit"], 256 << 20);
        assert_eq!(found["linux"]["resources"]["cpu"]["shares"], 148);
        assert_eq!(mount_of(&found, "/var/task")["source"], "/built/html");
        assert_eq!(mount_of(&found, "/opt/baseline")["source"], "/s");
    }

    #[test]
    fn container_cannot_write_to_the_host() {
        let found = config(&example("html", 256), Path::new("/s"), &["/etc/passwd"]);
        assert_eq!(found["root"]["readonly"], true);
        for at in ["/usr", "/var/task", "/opt/baseline", "/etc/passwd"] {
            let options = &mount_of(&found, at)["options"];
            assert!(
                options
                    .as_array()
                    .is_some_and(|all| all.contains(&json!("ro"))),
                "{at}"
            );
        }
        let kinds = found["linux"]["namespaces"].as_array().map_or(0, Vec::len);
        assert_eq!(
            (kinds, &found["process"]["noNewPrivileges"]),
            (5, &json!(true))
        );
    }

    #[test]
    fn empty_container_is_like_one_of_a_workload() {
        let code = Path::new("/built/html");
        let found = empty(Path::new("/r"), code, "/g".to_owned(), 256, &[]);
        let workload = config(&example("html", 256), Path::new("/s"), &[]);
        for part in ["namespaces", "resources"] {
            assert_eq!(found["linux"][part], workload["linux"][part]);
        }
        let count = |config: &Value| config["mounts"].as_array().map_or(0, Vec::len);
        assert_eq!(count(&found) + 1, count(&workload), "all but the scripts");
        assert_eq!(found["linux"]["cgroupsPath"], "/g");
    }
}
