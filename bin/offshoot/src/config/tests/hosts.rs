use super::{from_file, layered, refusal};

#[test]
fn allowed_hosts_are_names_without_a_port() {
    let file =
        "[server]\nallowed_hosts = [\"Lambda.example\", \"*.dev.example\", \"[2001:db8::1]\"]\n";
    let server = from_file(file).unwrap().server;
    assert_eq!(
        server.allowed_hosts,
        ["lambda.example", "*.dev.example", "2001:db8::1"]
    );
    let environment = [("OFFSHOOT_SERVER_ALLOWED_HOSTS", "a, 192.0.2.1")];
    let server = layered(file, &environment, &[]).unwrap().server;
    assert_eq!(server.allowed_hosts, ["a", "192.0.2.1"]);
    assert!(from_file("").unwrap().server.allowed_hosts.is_empty());
    let (message, hint) = refusal("[server]\nallowed_hosts = [\"http://a.example:3001/\"]\n");
    assert!(message.contains("server.allowed_hosts has"), "{message}");
    assert_eq!(
        hint.as_deref(),
        Some("write a.example, without scheme, port and path")
    );
    for wrong in [
        "[\"*\"]",
        "[\"a..b\"]",
        "[\"\"]",
        "[\"a b\"]",
        "[1]",
        "\"a\"",
    ] {
        let (message, _) = refusal(&format!("[server]\nallowed_hosts = {wrong}\n"));
        assert!(
            message.contains("server.allowed_hosts"),
            "{wrong}: {message}"
        );
    }
}
