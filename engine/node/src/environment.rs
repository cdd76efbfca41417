//! The environment and the command line of a runtime, as on Lambda (AWS Lambda Developer Guide, "Defined
//! runtime environment variables").

use std::path::Path;

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;

use crate::{InstanceSpec, LogFormat, NodeError, Runtime};

/// Where the Runtime API listens inside every sandbox; the same in each, so that clones need not learn it.
pub(crate) const RUNTIME_API: &str = "127.0.0.1:9001";

/// The program and arguments that start the function's runtime.
pub(crate) fn command(spec: &InstanceSpec) -> Result<Vec<String>, NodeError> {
    let runtime: Vec<String> = match spec.runtime {
        Runtime::Python311 => {
            vec![
                "/usr/bin/python3".to_owned(),
                "/var/runtime/python/bootstrap.py".to_owned(),
            ]
        }
        Runtime::Nodejs20 => vec![
            node_program().to_owned(),
            // A sandbox has no /sys from which V8 could learn its limit; Lambda grants the heap 90 % of the memory.
            format!("--max-old-space-size={}", spec.memory_mb * 9 / 10),
            "/var/runtime/node/bootstrap.mjs".to_owned(),
        ],
        Runtime::ProvidedAl2023 => vec![provided_bootstrap(spec)?],
    };
    Ok(if has_extensions(spec) {
        with_extensions(runtime)
    } else {
        wrapped(spec, runtime)
    })
}

/// Where a Node of its own was installed beside Debian's, it is that one.
fn node_program() -> &'static str {
    const OWN: &str = "/usr/local/bin/node";
    if Path::new(OWN).exists() {
        OWN
    } else {
        "/usr/bin/node"
    }
}

/// `AWS_LAMBDA_EXEC_WRAPPER` names a program that is started in the runtime's place, with the runtime's
/// command line as its arguments.
fn wrapped(spec: &InstanceSpec, mut runtime: Vec<String>) -> Vec<String> {
    if let Some(wrapper) = spec
        .env
        .get("AWS_LAMBDA_EXEC_WRAPPER")
        .filter(|path| !path.is_empty())
    {
        runtime.insert(0, wrapper.clone());
    }
    runtime
}

fn provided_bootstrap(spec: &InstanceSpec) -> Result<String, NodeError> {
    if spec.task_dir.join("bootstrap").is_file() {
        return Ok("/var/task/bootstrap".to_owned());
    }
    if spec
        .layer_dirs
        .iter()
        .any(|layer| layer.join("bootstrap").is_file())
    {
        return Ok("/opt/bootstrap".to_owned());
    }
    Err(NodeError::NoBootstrap {
        function: spec.function.to_string(),
    })
}

/// Whether a layer brings external extensions (Lambda Extensions API: executables in `/opt/extensions`).
pub(crate) fn has_extensions(spec: &InstanceSpec) -> bool {
    spec.layer_dirs
        .iter()
        .any(|layer| layer.join("extensions").is_dir())
}

/// How many extensions will be started: those names that are executable files in some layer.
pub(crate) fn count_extensions(spec: &InstanceSpec) -> usize {
    let folders = spec.layer_dirs.iter().map(|layer| layer.join("extensions"));
    let entries = folders
        .filter_map(|folder| std::fs::read_dir(folder).ok())
        .flatten()
        .flatten();
    let executable = entries.filter(|entry| {
        // Of the entry itself: a tenant's link is not followed here.
        let metadata = entry.metadata();
        metadata.is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
    });
    let names: BTreeSet<_> = executable.map(|entry| entry.file_name()).collect();
    names.len()
}

/// Starts each extension beside the runtime, without the channel, then becomes the runtime.
fn with_extensions(runtime: Vec<String>) -> Vec<String> {
    const START: &str = "for extension in /opt/extensions/*; do \
         [ -x \"$extension\" ] && [ -f \"$extension\" ] && \"$extension\" 3>&- & done; exec \"$@\"";
    let mut command: Vec<String> = ["/bin/sh", "-c", START, "sh"].map(str::to_owned).to_vec();
    command.extend(runtime);
    command
}

/// What begins the names of variables that a language runtime, its libraries or the C library read when they start: a
/// process that has started already cannot be told them.
const READ_AT_START: [&str; 10] = [
    "PYTHON", "NODE_", "LD_", "LC_", "MALLOC_", "GLIBC_", "UV_", "OPENSSL_", "SSL_", "V8_",
];
/// Whole names of such, and of a program that starts the runtime in its own way.
const READ_AT_START_EXACTLY: [&str; 4] = ["LANG", "LANGUAGE", "TZ", "AWS_LAMBDA_EXEC_WRAPPER"];

/// Whether the function can begin in a process that its runtime has started without it.
pub(crate) fn begins_in_runtime_seed(spec: &InstanceSpec) -> bool {
    let is_read = |name: &String| {
        READ_AT_START_EXACTLY.contains(&name.as_str())
            || READ_AT_START.iter().any(|start| name.starts_with(start))
    };
    speaks_channel(spec.runtime) && !has_extensions(spec) && !spec.env.keys().any(is_read)
}

/// The variables of a runtime that has no function yet: what is the same for all.
pub(crate) fn runtime_variables(runtime: Runtime) -> Vec<(String, String)> {
    let fixed = defaults(runtime).into_iter().chain(of_runtime(runtime));
    let mut all: Vec<_> = fixed
        .map(|(name, value)| (name.to_owned(), value))
        .collect();
    all.sort();
    all
}

/// Whether the runtime speaks our channel; otherwise it speaks the Runtime API.
pub(crate) fn speaks_channel(runtime: Runtime) -> bool {
    matches!(runtime, Runtime::Python311 | Runtime::Nodejs20)
}

/// All environment variables of the runtime. The function's own come first; Lambda's reserved ones outrank
/// them (the catalog refuses them at deployment anyway).
pub(crate) fn variables(spec: &InstanceSpec, log_stream: &str) -> Vec<(String, String)> {
    let mut all = spec.env.clone();
    for (name, value) in defaults(spec.runtime) {
        all.entry(name.to_owned()).or_insert(value);
    }
    for (name, value) in reserved(spec, log_stream) {
        all.insert(name.to_owned(), value);
    }
    all.into_iter().collect()
}

/// Variables that a function may override.
fn defaults(runtime: Runtime) -> Vec<(&'static str, String)> {
    let mut list = vec![
        ("LANG", "C.UTF-8".to_owned()),
        ("TZ", ":UTC".to_owned()),
        ("HOME", "/tmp".to_owned()),
        (
            "PATH",
            "/usr/local/bin:/usr/bin:/bin:/opt/bin:/var/task/bin".to_owned(),
        ),
        (
            "LD_LIBRARY_PATH",
            "/var/task:/var/task/lib:/opt/lib".to_owned(),
        ),
    ];
    if runtime == Runtime::Nodejs20 {
        let modules =
            "/opt/nodejs/node20/node_modules:/opt/nodejs/node_modules:/var/task/node_modules";
        list.push(("NODE_PATH", modules.to_owned()));
    }
    list
}

/// Official clients ask to be frozen if this says so (`restore/next`).
fn initialization_type(spec: &InstanceSpec) -> &'static str {
    if spec.snap_start {
        "snap-start"
    } else {
        "on-demand"
    }
}

fn reserved(spec: &InstanceSpec, log_stream: &str) -> Vec<(&'static str, String)> {
    let log_format = match spec.log_format {
        LogFormat::Text => "Text",
        LogFormat::Json => "JSON",
    };
    let mut list = vec![
        ("_HANDLER", spec.handler.clone()),
        ("AWS_DEFAULT_REGION", spec.region.to_string()),
        ("AWS_REGION", spec.region.to_string()),
        ("AWS_LAMBDA_FUNCTION_NAME", spec.function.to_string()),
        ("AWS_LAMBDA_FUNCTION_VERSION", spec.version.to_string()),
        (
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
            spec.memory_mb.to_string(),
        ),
        (
            "AWS_LAMBDA_FUNCTION_TIMEOUT",
            spec.timeout.as_secs().to_string(),
        ),
        (
            "AWS_LAMBDA_INITIALIZATION_TYPE",
            initialization_type(spec).to_owned(),
        ),
        ("AWS_LAMBDA_LOG_FORMAT", log_format.to_owned()),
    ];
    if spec.concurrency > 1 {
        list.push(("AWS_LAMBDA_MAX_CONCURRENCY", spec.concurrency.to_string()));
    }
    // Under SnapStart absent as on Lambda: clones have streams of their own, and only the channel can tell them.
    if !spec.snap_start || speaks_channel(spec.runtime) {
        let group = format!("/aws/lambda/{}", spec.function);
        list.push(("AWS_LAMBDA_LOG_GROUP_NAME", group));
        list.push(("AWS_LAMBDA_LOG_STREAM_NAME", log_stream.to_owned()));
    }
    list.extend(of_runtime(spec.runtime));
    list
}

/// Reserved variables that are the same for all functions of a runtime.
fn of_runtime(runtime: Runtime) -> [(&'static str, String); 4] {
    [
        (
            "AWS_EXECUTION_ENV",
            format!("AWS_Lambda_{}", runtime.name()),
        ),
        ("AWS_LAMBDA_RUNTIME_API", RUNTIME_API.to_owned()),
        ("LAMBDA_TASK_ROOT", "/var/task".to_owned()),
        ("LAMBDA_RUNTIME_DIR", "/var/runtime".to_owned()),
    ]
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::spec::samples;

    fn value(spec: &InstanceSpec, wanted: &str) -> Option<String> {
        let all = variables(spec, "stream");
        let found = all.into_iter().find(|(name, _)| name == wanted);
        found.map(|(_, value)| value)
    }

    #[test]
    fn only_published_versions_with_snapstart_are_told_that_they_will_be_frozen() {
        const TYPE: &str = "AWS_LAMBDA_INITIALIZATION_TYPE";
        let mut spec = samples::spec();
        assert_eq!(value(&spec, TYPE).unwrap(), "on-demand");
        spec.snap_start = true;
        assert_eq!(value(&spec, TYPE).unwrap(), "snap-start");
    }

    #[test]
    fn log_stream_is_absent_where_a_clone_would_have_its_seeds() {
        const STREAM: &str = "AWS_LAMBDA_LOG_STREAM_NAME";
        let mut spec = samples::spec();
        spec.snap_start = true;
        assert_eq!(value(&spec, STREAM).unwrap(), "stream");
        spec.runtime = Runtime::ProvidedAl2023;
        assert_eq!(value(&spec, STREAM), None);
        spec.snap_start = false;
        assert_eq!(value(&spec, STREAM).unwrap(), "stream");
    }
}
