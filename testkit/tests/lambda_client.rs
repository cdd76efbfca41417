//! The client against a stand-in that plays the daemon's part of the Lambda API.
#![allow(clippy::unwrap_used)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use offshoot_testkit::{ClientError, FunctionSpec, LambdaClient, zip_files};
use serde_json::{Value, json};

/// A request as the stand-in saw it.
struct Seen {
    line: String,
    headers: String,
    body: Vec<u8>,
}

/// Answers one request after the other with the given answers, each on a connection of its own.
fn stand_in(answers: Vec<String>) -> (LambdaClient, mpsc::Receiver<Seen>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = LambdaClient::new(format!("http://{}", listener.local_addr().unwrap()));
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        for answer in answers {
            let (stream, _) = listener.accept().unwrap();
            sender.send(serve(stream, &answer)).unwrap();
        }
    });
    (client, receiver)
}

fn serve(stream: TcpStream, answer: &str) -> Seen {
    let mut reader = BufReader::new(stream);
    let (mut line, mut headers) = (String::new(), String::new());
    reader.read_line(&mut line).unwrap();
    while !headers.ends_with("\r\n\r\n") {
        reader.read_line(&mut headers).unwrap();
    }
    let headers = headers.to_lowercase();
    let length = headers
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
    reader.read_exact(&mut body).unwrap();
    reader.get_mut().write_all(answer.as_bytes()).unwrap();
    Seen {
        line: line.trim().to_owned(),
        headers,
        body,
    }
}

fn answer(status: u16, headers: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n{body}"
    )
}

#[tokio::test]
async fn function_is_created_with_its_package_and_configuration() {
    let (client, seen) = stand_in(vec![answer(201, "", r#"{"State":"Active"}"#)]);
    let zip = zip_files(&[("app.py", b"def handler(e, c): return e")]).unwrap();
    let function = FunctionSpec {
        environment: vec![("A".into(), "1".into())],
        ..FunctionSpec::python("echo")
    };
    let made = client.create_function(&function, &zip).await.unwrap();
    assert_eq!(made["State"], "Active");

    let request = seen.recv().unwrap();
    assert_eq!(request.line, "POST /2015-03-31/functions HTTP/1.1");
    let body: Value = serde_json::from_slice(&request.body).unwrap();
    assert_eq!(
        (&body["FunctionName"], &body["Timeout"]),
        (&json!("echo"), &json!(3))
    );
    assert_eq!(body["Environment"], json!({ "Variables": { "A": "1" } }));
    assert!(
        body["Code"]["ZipFile"]
            .as_str()
            .unwrap()
            .starts_with("UEsDB")
    );
}

#[tokio::test]
async fn event_gives_its_request_id_only_after_202() {
    let accepted = answer(202, "x-amzn-RequestId: id-1\r\n", "");
    let not_accepted = answer(200, "x-amzn-RequestId: id-2\r\n", "null");
    let (client, seen) = stand_in(vec![accepted, not_accepted]);
    assert_eq!(client.invoke_event("echo", "{}").await.unwrap(), "id-1");
    assert!(
        seen.recv()
            .unwrap()
            .headers
            .contains("x-amz-invocation-type: event\r\n")
    );
    let error = client.invoke_event("echo", "{}").await.unwrap_err();
    assert!(matches!(error, ClientError::Unexpected { .. }), "{error}");
}

#[tokio::test]
async fn refusal_carries_type_and_message() {
    let headers = "x-amzn-ErrorType: ResourceNotFoundException\r\n";
    let body = r#"{"Type":"User","Message":"Function not found: x"}"#;
    let (client, _seen) = stand_in(vec![answer(404, headers, body)]);
    let error = client.delete("x").await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "DELETE /2015-03-31/functions/x was refused with 404 ResourceNotFoundException: \
         Function not found: x"
    );
}

#[tokio::test]
async fn connection_that_breaks_off_is_no_answer() {
    let cut = "HTTP/1.1 202 X\r\ncontent-length: 10\r\n\r\n123".to_owned();
    let (client, _seen) = stand_in(vec![cut]);
    let error = client.invoke_event("echo", "{}").await.unwrap_err();
    assert!(matches!(error, ClientError::NoAnswer { .. }), "{error}");
}

#[tokio::test]
async fn waiting_ends_when_the_function_is_active() {
    let state = |state: &str, update: &str| {
        let body = json!({ "State": state, "LastUpdateStatus": update });
        answer(200, "", &body.to_string())
    };
    let answers = vec![
        state("Pending", "InProgress"),
        state("Active", "Successful"),
    ];
    let (client, _seen) = stand_in(answers);
    client.wait("echo", Duration::from_secs(5)).await.unwrap();

    let (client, _seen) = stand_in(vec![state("Failed", "Failed")]);
    let error = client.wait("echo", Duration::ZERO).await.unwrap_err();
    assert!(
        error.to_string().contains(r#""Failed", "Failed""#),
        "{error}"
    );
}

#[tokio::test]
async fn counts_of_events_are_read() {
    let (client, _seen) = stand_in(vec![answer(
        200,
        "",
        r#"{"waiting":3,"claimed":1,"dead":0}"#,
    )]);
    let counts = client.events().await.unwrap();
    assert_eq!((counts.waiting, counts.claimed, counts.dead), (3, 1, 0));
}
