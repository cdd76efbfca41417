#![allow(clippy::unwrap_used)]

use http::Method;

use super::*;

fn request(method: Method, headers: &[(&str, &str)]) -> Request<()> {
    let mut request = Request::builder().method(method).uri("/any");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap()
}

fn guard() -> Guard {
    Guard::new(vec!["Lambda.Example".into(), "*.dev.example".into()])
}

fn asks(host: &str) -> Result<(), ApiError> {
    guard().check(&request(Method::GET, &[("host", host)]))
}

fn posts(headers: &[(&str, &str)]) -> Result<(), ApiError> {
    let mut all = vec![("host", "127.0.0.1:3001")];
    all.extend(headers);
    guard().check(&request(Method::POST, &all))
}

#[test]
fn names_of_this_machine_are_answered() {
    for host in [
        "127.0.0.1:3001",
        "127.0.0.1",
        "127.9.9.9:1",
        "[::1]:3001",
        "[::1]",
        "[::ffff:127.0.0.1]:3001",
        "localhost:3001",
        "LOCALHOST",
        "localhost.:3001",
        "abc.lambda-url.us-east-1.localhost:3001",
    ] {
        assert_eq!(asks(host), Ok(()), "{host}");
    }
}

#[test]
fn names_of_others_are_refused_and_the_setting_is_named() {
    for host in [
        "evil.example",
        "evil.example:3001",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "notlocalhost",
        "192.0.2.1:3001",
        "0.0.0.0:3001",
        "[2001:db8::1]:3001",
        "2130706433",
    ] {
        let error = asks(host).unwrap_err();
        assert_eq!(error.kind, ErrorKind::AccessDenied, "{host}");
        assert!(error.message.contains("server.allowed_hosts"), "{error}");
    }
}

#[test]
fn allowed_names_are_answered_and_no_others_like_them() {
    for host in [
        "lambda.example:3001",
        "LAMBDA.example",
        "a.dev.example",
        "a.b.dev.example.",
    ] {
        assert_eq!(asks(host), Ok(()), "{host}");
    }
    for host in [
        "x.lambda.example",
        "dev.example",
        ".dev.example",
        "evildev.example",
    ] {
        assert!(asks(host).is_err(), "{host}");
    }
    let by_address = Guard::new(vec!["192.0.2.1".into(), "2001:db8::1".into()]);
    for host in ["192.0.2.1:1", "[2001:DB8:0::1]:1"] {
        let asked = request(Method::GET, &[("host", host)]);
        assert_eq!(by_address.check(&asked), Ok(()), "{host}");
    }
}

#[test]
fn every_host_counts_and_none_is_a_program() {
    let two = [("host", "127.0.0.1"), ("host", "evil.example")];
    assert!(guard().check(&request(Method::GET, &two)).is_err());
    let mut proxied = request(Method::GET, &[("host", "127.0.0.1")]);
    *proxied.uri_mut() = Uri::from_static("http://evil.example/any");
    assert!(guard().check(&proxied).is_err());
    assert_eq!(guard().check(&request(Method::GET, &[])), Ok(()));
    for host in ["", "a b", "user@127.0.0.1", "[::1"] {
        let error = asks(host).unwrap_err();
        assert!(
            error.kind == ErrorKind::Validation || error.kind == ErrorKind::AccessDenied,
            "{host}"
        );
    }
}

#[test]
fn pages_of_other_sites_change_nothing() {
    for foreign in [
        ("origin", "http://evil.example"),
        ("origin", "http://127.0.0.1:8080"),
        ("origin", "http://127.0.0.1"),
        ("origin", "http://localhost:3001"),
        ("origin", "null"),
        ("origin", "file://"),
        ("origin", "chrome-extension://127.0.0.1:3001"),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
    ] {
        let error = posts(&[foreign]).unwrap_err();
        assert_eq!(error.kind, ErrorKind::AccessDenied, "{foreign:?}");
        for method in [Method::PUT, Method::DELETE, Method::PATCH] {
            let asked = request(method, &[("host", "127.0.0.1:3001"), foreign]);
            assert!(guard().check(&asked).is_err(), "{foreign:?}");
        }
        // It changes nothing, and the browser keeps the answer from the page.
        let asked = request(Method::GET, &[("host", "127.0.0.1:3001"), foreign]);
        assert_eq!(guard().check(&asked), Ok(()), "{foreign:?}");
    }
}

#[test]
fn programs_and_the_gateways_own_page_may_change_things() {
    assert_eq!(posts(&[]), Ok(()));
    assert_eq!(posts(&[("origin", "http://127.0.0.1:3001")]), Ok(()));
    assert_eq!(posts(&[("sec-fetch-site", "none")]), Ok(()));
    // What `Referrer-Policy: no-referrer` makes of a form's origin.
    assert_eq!(
        posts(&[("sec-fetch-site", "same-origin"), ("origin", "null")]),
        Ok(())
    );
    let behind_tls = [
        ("host", "lambda.example"),
        ("origin", "https://lambda.example"),
    ];
    assert_eq!(guard().check(&request(Method::POST, &behind_tls)), Ok(()));
}
