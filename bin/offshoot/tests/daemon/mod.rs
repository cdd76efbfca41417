//! A stand-in for the daemon: enough of the Lambda API, in memory, that remembers what it was asked.

#![allow(clippy::unwrap_used, dead_code)]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Seen {
    pub method: String,
    pub path: String,
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
}

impl Seen {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub fn line(&self) -> String {
        format!("{} {}", self.method, self.path)
    }
}

#[derive(Default)]
struct State {
    seen: Vec<Seen>,
    functions: BTreeMap<String, Value>,
    urls: BTreeMap<String, Value>,
    versions: u64,
}

/// A running stand-in.
#[derive(Clone)]
pub struct Daemon {
    pub endpoint: String,
    state: Arc<Mutex<State>>,
}

type Answer = (u16, Vec<(&'static str, String)>, Vec<u8>);

impl Daemon {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let daemon = Self {
            endpoint,
            state: Arc::default(),
        };
        let serving = daemon.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let daemon = serving.clone();
                std::thread::spawn(move || daemon.serve(stream));
            }
        });
        daemon
    }

    /// What was asked since the last call, as `METHOD PATH`.
    pub fn lines(&self) -> Vec<String> {
        self.take().iter().map(Seen::line).collect()
    }

    /// What was asked since the last call.
    pub fn take(&self) -> Vec<Seen> {
        std::mem::take(&mut self.state.lock().unwrap().seen)
    }

    fn serve(&self, stream: TcpStream) -> Option<()> {
        let mut reader = BufReader::new(stream.try_clone().ok()?);
        let mut first = String::new();
        reader.read_line(&mut first).ok()?;
        let mut words = first.split_whitespace();
        let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
        let mut headers = BTreeMap::new();
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).ok()?;
            let Some((name, value)) = line.trim().split_once(':') else {
                break;
            };
            headers.insert(name.to_lowercase(), value.trim().to_owned());
        }
        let length = headers
            .get("content-length")
            .and_then(|length| length.parse().ok())
            .unwrap_or(0);
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        let seen = Seen {
            method,
            path,
            headers,
            body,
        };
        let (status, headers, body) = self.answer(&seen);
        self.state.lock().unwrap().seen.push(seen);
        let mut head = format!(
            "HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length: {}\r\n",
            body.len()
        );
        for (name, value) in headers {
            head += &format!("{name}: {value}\r\n");
        }
        let mut stream = stream;
        stream.write_all(format!("{head}\r\n").as_bytes()).ok()?;
        stream.write_all(&body).ok()
    }

    fn answer(&self, seen: &Seen) -> Answer {
        let mut state = self.state.lock().unwrap();
        let path = seen.path.split('?').next().unwrap().to_owned();
        let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
        match (seen.method.as_str(), parts.as_slice()) {
            ("GET", ["offshoot", "v1", "health"]) => {
                ok(json!({ "status": "ok", "version": "9.9" }))
            }
            ("GET", ["offshoot", "v1", "events"]) => {
                ok(json!({ "waiting": 1, "claimed": 2, "dead": 3 }))
            }
            ("GET", ["offshoot", "v1", "events", "dead"]) => dead_letters(seen),
            ("POST", ["offshoot", "v1", "events", "redrive"]) => ok(json!({ "redriven": 2 })),
            ("POST", ["offshoot", "v1", "events", "purge"]) => ok(json!({ "purged": 3 })),
            ("GET", ["offshoot", "v1", "functions", _, "logs"]) => {
                let lines = "2026-11-20T20:00:00.000Z\tstdout\told\n2026-11-20T21:00:00.000Z\tstderr\tnew\x1b[2J\n";
                (200, Vec::new(), lines.into())
            }
            ("GET", [_, "functions"]) => {
                let functions: Vec<&Value> = state.functions.values().collect();
                ok(json!({ "Functions": functions }))
            }
            ("POST", [_, "functions"]) => create(&mut state, &seen.json()),
            (method, [_, "functions", name, rest @ ..]) => state.function(method, name, rest, seen),
            _ => refuse(404, "UnknownOperationException", "no such operation"),
        }
    }
}

impl State {
    fn function(&mut self, method: &str, name: &str, rest: &[&str], seen: &Seen) -> Answer {
        if !self.functions.contains_key(name) {
            return refuse(
                404,
                "ResourceNotFoundException",
                &format!("Function not found: {name}"),
            );
        }
        let function = self.functions.get_mut(name).unwrap();
        match (method, rest) {
            ("GET", []) => ok(json!({ "Configuration": function, "Code": {} })),
            ("DELETE", []) => {
                self.functions.remove(name);
                (204, Vec::new(), Vec::new())
            }
            ("PUT", ["code"]) => {
                function["CodeSha256"] = sha256(&seen.json()["ZipFile"]).into();
                ok(function.clone())
            }
            ("PUT", ["configuration"]) => {
                for (key, value) in seen.json().as_object().unwrap() {
                    function[key] = value.clone();
                }
                ok(function.clone())
            }
            ("POST", ["versions"]) => {
                self.versions += 1;
                let mut version = function.clone();
                version["Version"] = self.versions.to_string().into();
                ok(version)
            }
            ("PUT", ["aliases", _]) => {
                refuse(404, "ResourceNotFoundException", "Cannot find alias")
            }
            ("POST", ["aliases"]) => ok(seen.json()),
            ("PUT", ["event-invoke-config"]) => ok(json!({})),
            ("GET", ["url"]) => match self.urls.get(name) {
                Some(url) => ok(url.clone()),
                None => refuse(404, "ResourceNotFoundException", "no URL"),
            },
            ("POST", ["url"]) => {
                let mut url = seen.json();
                url["FunctionUrl"] = format!("http://{name}.lambda-url/").into();
                self.urls.insert(name.to_owned(), url.clone());
                ok(url)
            }
            ("POST", ["invocations"]) => invoke(seen),
            ("POST", ["response-streaming-invocations"]) => stream(),
            _ => refuse(404, "UnknownOperationException", "no such operation"),
        }
    }
}

fn create(state: &mut State, request: &Value) -> Answer {
    let name = request["FunctionName"].as_str().unwrap().to_owned();
    let mut function = request.clone();
    function["CodeSha256"] = sha256(&request["Code"]["ZipFile"]).into();
    function["FunctionArn"] =
        format!("arn:aws:lambda:us-east-1:000000000000:function:{name}").into();
    function["Version"] = "$LATEST".into();
    function["State"] = "Active".into();
    function.as_object_mut().unwrap().remove("Code");
    state.functions.insert(name, function.clone());
    (201, Vec::new(), function.to_string().into())
}

/// The event decides: `{"fail": true}` fails; anything else comes back.
fn invoke(seen: &Seen) -> Answer {
    let mut headers = vec![
        ("x-amzn-requestid", "request-1".to_owned()),
        ("x-offshoot-start", "cold".to_owned()),
        (
            "x-offshoot-stages",
            "queue=1000;sandbox=2000;handler=500".to_owned(),
        ),
        (
            "x-amz-log-result",
            STANDARD.encode("START\nhello from the log\n"),
        ),
    ];
    if seen
        .headers
        .get("x-amz-invocation-type")
        .is_some_and(|kind| kind == "Event")
    {
        return (202, headers, Vec::new());
    }
    if seen.body.windows(4).any(|window| window == b"fail") {
        headers.push(("x-amz-function-error", "Unhandled".to_owned()));
        return (200, headers, br#"{"errorMessage":"boom"}"#.to_vec());
    }
    (200, headers, seen.body.clone())
}

fn stream() -> Answer {
    use offshoot_lambda::eventstream::{invoke_complete, payload_chunk};
    let mut body = payload_chunk(b"one ").unwrap().to_vec();
    body.extend_from_slice(&payload_chunk(b"two").unwrap());
    body.extend_from_slice(&invoke_complete(&Default::default()).unwrap());
    (200, Vec::new(), body)
}

fn dead_letters(seen: &Seen) -> Answer {
    let letter = |id: u64| json!({ "id": id, "requestId": "r", "function": "hello", "attempt": 3, "why": "retries" });
    if seen.path.contains("page=7") {
        ok(json!({ "letters": [letter(8)], "next": null }))
    } else {
        ok(json!({ "letters": [letter(6), letter(7)], "next": 7 }))
    }
}

fn ok(body: Value) -> Answer {
    (200, Vec::new(), body.to_string().into())
}

fn refuse(status: u16, kind: &str, message: &str) -> Answer {
    let body = json!({ "Type": "User", "Message": message });
    (
        status,
        vec![("x-amzn-errortype", kind.to_owned())],
        body.to_string().into(),
    )
}

fn sha256(zip: &Value) -> String {
    STANDARD.encode(Sha256::digest(
        STANDARD.decode(zip.as_str().unwrap()).unwrap(),
    ))
}
