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
    let memory_bytes = u64::from(workload.function.memory_mb) << 20;
    // Directly below the root, so that runc leaves no parent behind.
    let group = format!("/offshoot-baseline-{}", workload.name());
    let namespaces = NAMESPACES.map(|kind| json!({ "type": kind }));
    json!({
        "ociVersion": "1.0.2",
        "process": {
            "terminal": false,
            "user": { "uid": USER, "gid": USER },
            "args": [workload.language.interpreter(), script, TASK_AT, workload.function.handler],
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
        "root": { "path": "rootfs", "readonly": true },
        "hostname": "baseline",
        "mounts": mounts(workload, scripts, etc),
        "linux": {
            "namespaces": namespaces,
            "cgroupsPath": group,
            "resources": {
                "memory": { "limit": memory_bytes },
                "cpu": { "shares": 1024 * u64::from(workload.function.memory_mb) / MB_PER_CPU },
                "pids": { "limit": MAX_TASKS },
            },
        },
    })
}

fn mounts(workload: &Workload, scripts: &Path, etc: &[&str]) -> Vec<Value> {
    let tmpfs = |at: &str, options: &[&str]| json!({ "destination": at, "type": "tmpfs", "source": "tmpfs", "options": options });
    let host = |from: &Path, at: &str| {
        let options = ["rbind", "ro", "nosuid", "nodev"];
        json!({ "destination": at, "type": "bind", "source": from, "options": options })
    };
    let mut all = vec![
        json!({ "destination": "/proc", "type": "proc", "source": "proc" }),
        tmpfs("/dev", &["nosuid", "strictatime", "mode=755", "size=64k"]),
        tmpfs("/dev/shm", &["nosuid", "nodev", "mode=1777", "size=64m"]),
        tmpfs("/tmp", &["nosuid", "nodev", "mode=1777", "size=512m"]),
        host(Path::new("/usr"), "/usr"),
        host(&workload.package, TASK_AT),
        host(scripts, SCRIPTS_AT),
    ];
    all.extend(etc.iter().map(|path| host(Path::new(path), path)));
    all
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
}
