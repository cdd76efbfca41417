//! The program against a stand-in daemon: what it sends, prints, and exits with.

#![allow(clippy::unwrap_used, missing_docs)]

mod cli;
mod daemon;

use std::ffi::OsStr;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::process::{Command, Stdio};

use cli::{HELLO, code, deploy, err, function, offshoot, out, program};
use daemon::Daemon;
use serde_json::{Value, json};

#[test]
fn the_response_comes_out_as_it_is() {
    let daemon = Daemon::start();
    deploy(
        &daemon,
        function(&[("app.py", HELLO)]).path(),
        &["--name", "hello"],
    );
    let event = r#"{"a":  1}"#;
    let output = offshoot(
        &daemon,
        &["invoke", "hello", "-d", event, "--stages", "--tail"],
    );
    assert_eq!((code(&output), out(&output).as_str()), (0, event));
    let said = err(&output);
    assert!(
        said.contains("cold start") && said.contains("sandbox") && said.contains("2.000 ms"),
        "{said}"
    );
    assert!(said.contains("hello from the log"), "{said}");
    let seen = daemon.take().pop().unwrap();
    assert_eq!(seen.headers["x-offshoot-stages"], "1");
    assert_eq!(seen.headers["x-amz-log-type"], "Tail");
    assert!(!seen.headers.contains_key("authorization"));
}

#[test]
fn the_event_comes_from_a_file_or_standard_input() {
    let daemon = Daemon::start();
    deploy(
        &daemon,
        function(&[("app.py", HELLO)]).path(),
        &["--name", "hello"],
    );
    let dir = function(&[("event.json", "[1]")]);
    let file = dir.path().join("event.json");
    assert_eq!(
        out(&offshoot(
            &daemon,
            &["invoke", "hello", "-f", file.to_str().unwrap()]
        )),
        "[1]"
    );
    let mut child = program()
        .env("OFFSHOOT_ENDPOINT", &daemon.endpoint)
        .args(["invoke", "hello", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(b"[2]").unwrap();
    assert_eq!(out(&child.wait_with_output().unwrap()), "[2]");
    let output = offshoot(&daemon, &["invoke", "hello", "-d", "{'a': 1}"]);
    assert_eq!(code(&output), 2);
    assert!(
        err(&output).contains("not JSON") && err(&output).contains("line 1 column 2"),
        "{}",
        err(&output)
    );
}

#[test]
fn a_function_that_fails_exits_with_one_and_shows_its_error() {
    let daemon = Daemon::start();
    deploy(
        &daemon,
        function(&[("app.py", HELLO)]).path(),
        &["--name", "hello"],
    );
    let output = offshoot(&daemon, &["invoke", "hello", "-d", r#"{"fail": true}"#]);
    assert_eq!(
        (code(&output), out(&output).as_str()),
        (1, r#"{"errorMessage":"boom"}"#)
    );
    assert!(err(&output).contains("hello failed (Unhandled)"));
}

#[test]
fn events_are_queued_and_streams_are_joined() {
    let daemon = Daemon::start();
    deploy(
        &daemon,
        function(&[("app.py", HELLO)]).path(),
        &["--name", "hello"],
    );
    let output = offshoot(&daemon, &["invoke", "hello", "--async", "-d", "{}"]);
    assert_eq!((code(&output), out(&output).as_str()), (0, ""));
    assert!(err(&output).contains("queued, request request-1"));
    let output = offshoot(&daemon, &["invoke", "hello", "--stream"]);
    assert_eq!(
        (code(&output), out(&output).as_str()),
        (0, "one two"),
        "{}",
        err(&output)
    );
}

#[test]
fn a_function_that_does_not_exist_exits_with_four_and_a_suggestion() {
    let daemon = Daemon::start();
    deploy(
        &daemon,
        function(&[("app.py", HELLO)]).path(),
        &["--name", "hello"],
    );
    let output = offshoot(&daemon, &["invoke", "helo"]);
    assert_eq!(code(&output), 4);
    assert!(
        err(&output).contains("did you mean hello?"),
        "{}",
        err(&output)
    );
    let output = offshoot(&daemon, &["--json", "delete", "helo", "--yes"]);
    let error: Value = serde_json::from_slice(&output.stderr).unwrap();
    assert_eq!(error["error"]["kind"], "not-found");
}

#[test]
fn functions_are_listed_and_deleted() {
    let daemon = Daemon::start();
    assert_eq!(out(&offshoot(&daemon, &["list"])), "[]\n");
    deploy(
        &daemon,
        function(&[("app.py", HELLO)]).path(),
        &["--name", "hello"],
    );
    let listed: Value = serde_json::from_str(&out(&offshoot(&daemon, &["ls"]))).unwrap();
    assert_eq!(listed[0]["FunctionName"], "hello");
    assert_eq!(code(&offshoot(&daemon, &["delete", "hello"])), 2);
    assert_eq!(code(&offshoot(&daemon, &["delete", "hello", "--yes"])), 0);
    assert_eq!(code(&offshoot(&daemon, &["delete", "hello", "--yes"])), 4);
}

#[test]
fn logs_can_be_filtered_and_become_json() {
    let daemon = Daemon::start();
    let output = offshoot(
        &daemon,
        &["logs", "hello", "--since", "2026-11-20T20:30:00Z"],
    );
    assert_eq!(
        out(&output),
        "2026-11-20T21:00:00.000Z\tstderr\tnew\x1b[2J\n"
    );
    let output = offshoot(&daemon, &["--json", "logs", "hello"]);
    let first: Value = serde_json::from_str(out(&output).lines().next().unwrap()).unwrap();
    assert_eq!(
        (&first["stream"], &first["text"]),
        (&json!("stdout"), &json!("old"))
    );
}

#[test]
fn dead_letters_are_paged_redriven_and_purged() {
    let daemon = Daemon::start();
    let letters: Value =
        serde_json::from_str(&out(&offshoot(&daemon, &["events", "list"]))).unwrap();
    let ids: Vec<i64> = letters
        .as_array()
        .unwrap()
        .iter()
        .map(|letter| letter["id"].as_i64().unwrap())
        .collect();
    assert_eq!(ids, [6, 7, 8]);
    assert_eq!(
        out(&offshoot(&daemon, &["events"])),
        "{\"waiting\":1,\"claimed\":2,\"dead\":3}\n"
    );
    daemon.take();
    assert_eq!(
        out(&offshoot(&daemon, &["events", "redrive", "6", "7"])),
        "{\"redriven\":2}\n"
    );
    assert_eq!(daemon.take()[0].json(), json!({ "ids": [6, 7] }));
    assert_eq!(code(&offshoot(&daemon, &["events", "redrive"])), 2);
    assert_eq!(code(&offshoot(&daemon, &["events", "purge", "--all"])), 2);
    assert_eq!(
        code(&offshoot(&daemon, &["events", "purge", "--all", "--yes"])),
        0
    );
}

#[test]
fn requests_are_signed_when_there_are_credentials() {
    let daemon = Daemon::start();
    let output = program()
        .env("OFFSHOOT_ENDPOINT", &daemon.endpoint)
        .env("AWS_ACCESS_KEY_ID", "AKID")
        .env("AWS_SECRET_ACCESS_KEY", "secret")
        .args(["list", "--region", "eu-central-1"])
        .output()
        .unwrap();
    assert_eq!(code(&output), 0);
    let header = daemon.take()[0].headers["authorization"].clone();
    assert!(
        header.starts_with("AWS4-HMAC-SHA256 Credential=AKID/"),
        "{header}"
    );
    assert!(
        header.contains("/eu-central-1/lambda/aws4_request"),
        "{header}"
    );
}

#[test]
fn without_a_daemon_the_way_out_is_told() {
    let output = program()
        .args(["list", "--endpoint", "http://127.0.0.1:1"])
        .output()
        .unwrap();
    assert_eq!(code(&output), 3);
    let said = err(&output);
    assert!(
        said.contains("nothing answers at http://127.0.0.1:1") && said.contains("offshoot serve"),
        "{said}"
    );
    for endpoint in [
        "https://127.0.0.1:1",
        "nonsense",
        "ftp://x",
        "http://x/path",
    ] {
        assert_eq!(
            code(
                &program()
                    .args(["list", "--endpoint", endpoint])
                    .output()
                    .unwrap()
            ),
            2,
            "{endpoint}"
        );
    }
}

#[test]
fn wrong_usage_exits_with_two_and_suggests() {
    let output = program().arg("depoly").output().unwrap();
    assert_eq!(code(&output), 2);
    assert!(err(&output).contains("deploy"), "{}", err(&output));
    let output = program()
        .args(["invoke", "x", "--qualifer", "1"])
        .output()
        .unwrap();
    assert!(
        code(&output) == 2 && err(&output).contains("--qualifier"),
        "{}",
        err(&output)
    );
    let output = program()
        .arg("invoke")
        .arg(OsStr::from_bytes(b"\xff\xfe"))
        .output()
        .unwrap();
    assert_eq!(code(&output), 2);
    assert_eq!(code(&program().output().unwrap()), 2);
    let help = program().arg("--help").output().unwrap();
    assert!(code(&help) == 0 && out(&help).contains("Exit codes:"));
}

#[test]
fn configuration_is_checked_and_shown_without_secrets() {
    let dir = function(&[
        (
            "good.toml",
            "[auth]\naccess_keys = [{ id = \"AKID\", secret = \"0123456789012345678901234567890123456789\" }]\n",
        ),
        ("bad.toml", "[limits]\nmax_instance = 3\n"),
    ]);
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let output = program()
        .args(["config", "check", "--config", &path("bad.toml")])
        .output()
        .unwrap();
    assert_eq!(code(&output), 2);
    assert!(
        err(&output).contains("bad.toml:2:1: unknown key limits.max_instance"),
        "{}",
        err(&output)
    );
    assert!(err(&output).contains("did you mean max_instances?"));
    let output = program()
        .args(["config", "show", "--config", &path("good.toml")])
        .env("OFFSHOOT_LIMITS_KEEP_ALIVE_S", "5")
        .output()
        .unwrap();
    let rows: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    let row = |key: &str| rows.iter().find(|row| row["key"] == key).unwrap();
    assert_eq!(
        (
            &row("limits.keep_alive_s")["value"],
            &row("limits.keep_alive_s")["origin"]
        ),
        (&json!(5), &json!("env"))
    );
    assert_eq!(row("auth.access_keys")["origin"], "file");
    assert!(!out(&output).contains("0123456789012345678901234567890123456789"));
    let output = program()
        .args(["serve", "--listen", "0.0.0.0:0"])
        .output()
        .unwrap();
    assert_eq!(code(&output), 2);
    assert!(
        err(&output).contains("--listen: server.listen is 0.0.0.0:0"),
        "{}",
        err(&output)
    );
}

#[test]
fn readers_and_streams_that_go_away_do_no_harm() {
    let daemon = Daemon::start();
    let run = |redirections: &str| {
        let script = format!(
            "{} --endpoint {} list {redirections}",
            env!("CARGO_BIN_EXE_offshoot"),
            daemon.endpoint
        );
        let output = Command::new("/bin/bash")
            .args(["-o", "pipefail", "-c", &script])
            .output()
            .unwrap();
        assert!(!err(&output).contains("panic"), "{}", err(&output));
        code(&output)
    };
    assert_eq!(run("| true"), 0);
    assert_eq!(run(">&- 2>&- <&-"), 0);
    assert_eq!(run("> /dev/full"), 1);
    assert_eq!(run("--nonsense 2> /dev/full"), 2);
}
