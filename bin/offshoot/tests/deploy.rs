//! `offshoot deploy` against a stand-in daemon.

#![allow(clippy::unwrap_used, missing_docs)]

mod cli;
mod daemon;

use cli::{HELLO, code, deploy, err, function, offshoot, out};
use daemon::Daemon;
use serde_json::{Value, json};

#[test]
fn a_folder_is_created_then_left_alone_then_updated() {
    let daemon = Daemon::start();
    let dir = function(&[("app.py", HELLO), ("requirements.txt", "# nothing\n")]);
    let first = deploy(
        &daemon,
        dir.path(),
        &["--name", "hello", "--env", "A=1", "--memory", "256"],
    );
    assert_eq!(first["action"], "created");
    assert_eq!(
        first["functionArn"],
        "arn:aws:lambda:us-east-1:000000000000:function:hello"
    );
    let create = daemon
        .take()
        .into_iter()
        .find(|seen| seen.method == "POST")
        .unwrap()
        .json();
    assert_eq!(create["Handler"], "app.handler");
    assert!(
        create["Runtime"].as_str().unwrap().starts_with("python3."),
        "{create}"
    );
    assert_eq!(
        (
            &create["MemorySize"],
            &create["Environment"]["Variables"]["A"]
        ),
        (&json!(256), &json!("1"))
    );

    let again = deploy(
        &daemon,
        dir.path(),
        &["--name", "hello", "--env", "A=1", "--memory", "256"],
    );
    assert_eq!(again["action"], "unchanged");
    assert_eq!(again["codeSha256"], first["codeSha256"]);
    assert!(daemon.lines().iter().all(|line| line.starts_with("GET")));

    std::fs::write(dir.path().join("app.py"), format!("{HELLO}\n# more\n")).unwrap();
    assert_eq!(
        deploy(&daemon, dir.path(), &["--name", "hello"])["action"],
        "updated"
    );
    let lines = daemon.lines();
    assert!(
        lines.contains(&"PUT /2015-03-31/functions/hello/code".to_owned()),
        "{lines:?}"
    );
    assert!(
        !lines.iter().any(|line| line.contains("configuration")),
        "{lines:?}"
    );

    assert_eq!(
        deploy(&daemon, dir.path(), &["--name", "hello", "--timeout", "9"])["action"],
        "updated"
    );
    let seen = daemon.take();
    let update = seen
        .iter()
        .find(|seen| seen.line() == "PUT /2015-03-31/functions/hello/configuration")
        .unwrap();
    assert_eq!(update.json(), json!({ "Timeout": 9 }));
}

#[test]
fn version_alias_and_url_come_along() {
    let daemon = Daemon::start();
    let dir = function(&[("index.mjs", "export const handler = async (e) => e")]);
    let args = ["--name", "web", "--alias", "live", "--url"];
    let deployed = deploy(&daemon, dir.path(), &args);
    assert_eq!(
        (&deployed["version"], &deployed["alias"]),
        (&json!("1"), &json!("live"))
    );
    assert_eq!(deployed["url"], "http://web.lambda-url/");
    let seen = daemon.take();
    let alias = seen
        .iter()
        .find(|seen| seen.line() == "POST /2015-03-31/functions/web/aliases")
        .unwrap();
    assert_eq!(
        alias.json(),
        json!({ "Name": "live", "FunctionVersion": "1" })
    );
    let url = seen
        .iter()
        .find(|seen| seen.line() == "POST /2021-10-31/functions/web/url")
        .unwrap();
    assert_eq!(url.json()["AuthType"], "NONE");
    deploy(&daemon, dir.path(), &args);
    assert!(
        !daemon
            .lines()
            .contains(&"POST /2021-10-31/functions/web/url".to_owned())
    );
}

#[test]
fn a_template_deploys_each_of_its_functions() {
    let daemon = Daemon::start();
    let dir = function(&[
        (
            "template.yaml",
            "Globals: {Function: {Runtime: python3.11, Handler: app.handler}}\n\
            Parameters: {Stage: {Type: String}}\nResources:\n\
            \x20 One: {Type: 'AWS::Serverless::Function', Properties: {CodeUri: one, FunctionName: !Sub 'one-${Stage}'}}\n\
            \x20 Two: {Type: 'AWS::Serverless::Function', Properties: {CodeUri: two, EventInvokeConfig: {MaximumRetryAttempts: 0}}}\n\
            \x20 Queue: {Type: 'AWS::SQS::Queue'}\n",
        ),
        ("one/app.py", HELLO),
        ("two/app.py", HELLO),
    ]);
    let output = offshoot(
        &daemon,
        &[
            "deploy",
            dir.path().to_str().unwrap(),
            "--parameter",
            "Stage=dev",
        ],
    );
    assert_eq!(code(&output), 0, "{}", err(&output));
    let names: Vec<String> = out(&output)
        .lines()
        .map(|line| {
            serde_json::from_str::<Value>(line).unwrap()["functionName"]
                .as_str()
                .unwrap()
                .to_owned()
        })
        .collect();
    assert_eq!(names, ["one-dev", "Two"]);
    assert!(
        err(&output).contains("Queue (AWS::SQS::Queue)"),
        "{}",
        err(&output)
    );
    assert!(
        daemon
            .lines()
            .contains(&"PUT /2019-09-25/functions/Two/event-invoke-config".to_owned())
    );
    let output = offshoot(&daemon, &["deploy", dir.path().to_str().unwrap()]);
    assert_eq!(code(&output), 2);
    assert!(
        err(&output).contains("template.yaml:4: One.FunctionName uses ${Stage}"),
        "{}",
        err(&output)
    );
}

#[test]
fn workload_json_is_honoured_and_flags_win_over_it() {
    let daemon = Daemon::start();
    let dir = function(&[
        ("app.py", HELLO),
        (
            "workload.json",
            r#"{"name": "w", "runtime": "python3.11", "handler": "app.handler", "memory_mb": 512, "timeout_s": 7, "kind": "x"}"#,
        ),
    ]);
    deploy(&daemon, dir.path(), &["--memory", "1024"]);
    let create = daemon
        .take()
        .into_iter()
        .find(|seen| seen.method == "POST")
        .unwrap()
        .json();
    assert_eq!(create["FunctionName"], "w");
    assert_eq!(
        (&create["MemorySize"], &create["Timeout"]),
        (&json!(1024), &json!(7))
    );
}

#[test]
fn what_cannot_be_deployed_is_named() {
    let daemon = Daemon::start();
    let dir = function(&[("README.md", "")]);
    let output = offshoot(&daemon, &["deploy", dir.path().to_str().unwrap()]);
    assert_eq!(code(&output), 2);
    assert!(err(&output).contains("cannot tell the runtime") && err(&output).contains("--runtime"));
    let output = offshoot(&daemon, &["deploy", "/nowhere"]);
    assert_eq!(
        (code(&output), err(&output).contains("there is no /nowhere")),
        (4, true)
    );
    let output = offshoot(&daemon, &["deploy", "/dev/null"]);
    assert_eq!(code(&output), 2);
    let output = offshoot(&daemon, &["deploy", ".", "--env", "novalue"]);
    assert_eq!(code(&output), 2);
}

/// A pip that needs no network: it writes a module and counts how often it was called.
fn fake_pip(dir: &std::path::Path) -> std::path::PathBuf {
    use std::os::unix::fs::PermissionsExt;
    let bin = dir.join("bin");
    std::fs::create_dir(&bin).unwrap();
    let script = "#!/bin/sh\nif [ \"$1\" = -c ]; then echo 9.9; exit 0; fi\necho call >> \"$PIP_CALLS\"\n\
        while [ $# -gt 0 ]; do [ \"$1\" = --target ] && echo 'x = 1' > \"$2/dependency.py\"; shift; done\n";
    let path = bin.join("python9.9");
    std::fs::write(&path, script).unwrap();
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
    bin
}

#[test]
fn dependencies_are_installed_once_and_then_come_from_the_cache() {
    let daemon = Daemon::start();
    let dir = function(&[("app.py", HELLO), ("requirements.txt", "dependency==1\n")]);
    let work = tempfile::tempdir().unwrap();
    let (bin, calls) = (fake_pip(work.path()), work.path().join("calls"));
    let run = |name: &str| {
        let output = cli::program()
            .env("OFFSHOOT_ENDPOINT", &daemon.endpoint)
            .env("XDG_CACHE_HOME", work.path().join("cache"))
            .env("TMPDIR", work.path())
            .env("PIP_CALLS", &calls)
            .env("PATH", format!("{}:/usr/bin:/bin", bin.display()))
            .args([
                "deploy",
                dir.path().to_str().unwrap(),
                "--runtime",
                "python9.9",
            ])
            .args(["--handler", "app.handler", "--name", name])
            .output()
            .unwrap();
        assert_eq!(code(&output), 0, "{}", err(&output));
        serde_json::from_slice::<Value>(&output.stdout).unwrap()
    };
    let (first, second) = (run("one"), run("two"));
    assert_eq!(std::fs::read_to_string(&calls).unwrap(), "call\n");
    assert_eq!(first["codeSha256"], second["codeSha256"]);
    let plain = function(&[("app.py", HELLO)]);
    let without = deploy(&daemon, plain.path(), &["--name", "plain"]);
    assert_ne!(first["codeSha256"], without["codeSha256"]);
    let left: Vec<_> = std::fs::read_dir(work.path().join("cache/offshoot/dependencies"))
        .unwrap()
        .collect();
    assert_eq!(left.len(), 1, "{left:?}");
}
