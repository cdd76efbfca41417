#![allow(clippy::unwrap_used)]

use std::ffi::OsString;
use std::io::Write;

use super::*;

mod hosts;

fn from_file(text: &str) -> Result<Config, ConfigError> {
    layered(text, &[], &[])
}

fn layered(
    text: &str,
    environment: &[(&str, &str)],
    flags: &[(&str, &str)],
) -> Result<Config, ConfigError> {
    settings(text, environment, flags)?.check()
}

fn settings(
    text: &str,
    environment: &[(&str, &str)],
    flags: &[(&str, &str)],
) -> Result<Settings, ConfigError> {
    let mut file = tempfile::Builder::new().suffix(".toml").tempfile().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    let pair = |(name, value): &(&str, &str)| (OsString::from(name), OsString::from(value));
    Settings::gather(&Layers {
        file: Some(file.path().to_owned()),
        environment: environment.iter().map(pair).collect(),
        flags: flags
            .iter()
            .map(|(key, value)| ("--set".into(), (*key).into(), (*value).into()))
            .collect(),
    })
}

/// The error without the folder that the file is in, and the hint.
fn refusal(text: &str) -> (String, Option<String>) {
    let error = from_file(text).unwrap_err();
    let message = error.to_string();
    let from = message
        .find(".toml:")
        .map_or(0, |index| index + ".toml:".len());
    (message[from..].to_owned(), error.hint())
}

#[test]
fn defaults_are_those_of_the_documentation() {
    let config = from_file("").unwrap();
    assert_eq!(config.server.listen.to_string(), "127.0.0.1:3001");
    assert_eq!(config.server.state_dir, PathBuf::from("/var/lib/offshoot"));
    assert_eq!(config.server.drain_timeout, Duration::from_secs(30));
    assert_eq!(
        (
            config.lambda.region.as_str(),
            config.lambda.account_id.as_str()
        ),
        ("us-east-1", "000000000000")
    );
    assert!(config.auth.access_keys.is_empty());
    assert_eq!(
        (
            config.limits.account_concurrency,
            config.limits.max_instances
        ),
        (1000, 1000)
    );
    assert_eq!(config.limits.keep_alive, Duration::from_secs(600));
    assert!(config.limits.cold_starts >= 4);
    assert_eq!(
        config.events.retry_backoff,
        [60, 120].map(Duration::from_secs)
    );
    assert_eq!(config.network.address_pool.to_string(), "10.200.0.0/16");
    assert!(!config.network.egress);
    assert!(config.network.functions.is_empty() && config.network.name_servers.is_empty());
    assert_eq!(config.logs.segment_bytes, 4 << 20);
    assert_eq!(
        (config.log.level, config.log.format),
        (LogLevel::Info, LogFormat::Text)
    );
}

#[test]
fn flags_override_environment_which_overrides_the_file() {
    let file = "[limits]\nmax_instances = 10\n[events]\nparallel = 10\n[log]\nlevel = \"warn\"\n";
    let environment = [
        ("OFFSHOOT_EVENTS_PARALLEL", "20"),
        ("OFFSHOOT_LOG_LEVEL", "debug"),
    ];
    let settings = settings(file, &environment, &[("log.level", "trace")]).unwrap();
    let config = settings.check().unwrap();
    assert_eq!(
        (config.limits.max_instances, config.events.parallel),
        (10, 20)
    );
    assert_eq!(config.log.level, LogLevel::Trace);
    let origin = |wanted: &str| {
        settings
            .rows()
            .find(|(key, ..)| key == wanted)
            .map(|(_, _, place)| place.clone())
            .unwrap()
    };
    assert_eq!(origin("server.listen"), Place::Default);
    assert!(
        origin("limits.max_instances")
            .to_string()
            .ends_with(".toml:2:17")
    );
    assert_eq!(
        origin("events.parallel"),
        Place::Environment("OFFSHOOT_EVENTS_PARALLEL".to_owned())
    );
    assert_eq!(origin("log.level"), Place::Flag("--set".to_owned()));
}

#[test]
fn every_key_can_be_set_by_the_environment() {
    for key in &schema::KEYS {
        let name = key.variable();
        let value = match key.path().as_str() {
            "auth.access_keys" => "AKID:0123456789012345678901234567890123456789".to_owned(),
            _ => key.default.to_owned(),
        };
        assert!(layered("", &[(&name, &value)], &[]).is_ok(), "{name}");
    }
}

#[test]
fn unknown_names_are_refused_with_place_and_suggestion() {
    let (message, hint) = refusal("[server]\nlisten = \"127.0.0.1:1\"\nstat_dir = \"/x\"\n");
    assert_eq!(message, "3:1: unknown key server.stat_dir");
    assert_eq!(hint.as_deref(), Some("did you mean state_dir?"));
    let (message, hint) = refusal("[sever]\n");
    assert_eq!(
        (message.as_str(), hint.as_deref()),
        ("1:2: unknown section sever", Some("did you mean [server]?"))
    );
    let (message, hint) = refusal("listen = \"127.0.0.1:1\"\n");
    assert_eq!(message, "1:1: unknown top-level key listen");
    assert_eq!(
        hint.as_deref(),
        Some("did you mean listen in section [server]?")
    );
    let error = layered("", &[("OFFSHOOT_SERVER_LISEN", "x")], &[]).unwrap_err();
    assert_eq!(
        error.hint().as_deref(),
        Some("did you mean OFFSHOOT_SERVER_LISTEN?")
    );
    assert!(
        layered(
            "",
            &[("OFFSHOOT_ENDPOINT", "x"), ("OFFSHOOT_UNPACK_LIMITS", "x")],
            &[]
        )
        .is_ok()
    );
}

#[test]
fn a_key_that_stands_twice_is_refused_with_its_place() {
    let (message, _) = refusal("[log]\nlevel = \"info\"\nlevel = \"warn\"\n");
    assert!(message.starts_with("3:1: duplicate key"), "{message}");
}

#[test]
fn a_broken_file_is_refused_with_its_place() {
    let (message, _) = refusal("[log]\nlevel = \n");
    assert!(message.starts_with("2:"), "{message}");
}

#[test]
fn numbers_out_of_range_and_with_units_are_refused() {
    let (message, _) = refusal("[limits]\nmax_instances = 0\n");
    assert_eq!(
        message,
        "2:17: limits.max_instances must be from 1 to 1000000, not 0"
    );
    let (message, hint) = refusal("[limits]\nkeep_alive_s = \"10m\"\n");
    assert_eq!(
        message,
        "2:16: limits.keep_alive_s must be a whole number of seconds, not \"10m\""
    );
    assert_eq!(hint.as_deref(), Some("write 600, without a unit"));
    let (_, hint) = refusal("[logs]\nsegment_bytes = \"4 MiB\"\n");
    assert_eq!(hint.as_deref(), Some("write 4194304, without a unit"));
    let (message, _) = refusal("[limits]\nkeep_alive_s = -1\n");
    assert!(message.contains("from zero on, not -1"), "{message}");
    let (message, _) = refusal("[limits]\nkeep_alive_s = 1.5\n");
    assert!(
        message.contains("must be a whole number, not a float"),
        "{message}"
    );
    let (message, _) = refusal("[limits]\nkeep_alive_s = 99999999999999999999999\n");
    assert!(message.contains("limits.keep_alive_s"), "{message}");
    let (message, _) = refusal("[events]\nretry_backoff_s = [1, 2, 3]\n");
    assert!(message.contains("at most twice"), "{message}");
}

#[test]
fn addresses_networks_and_names_are_checked() {
    let (_, hint) = refusal("[server]\nlisten = \"3001\"\n");
    assert_eq!(hint.as_deref(), Some("write 127.0.0.1:3001"));
    let (message, _) = refusal("[server]\nlisten = \"127.0.0.1:70000\"\n");
    assert!(message.contains("must be IP:PORT"), "{message}");
    let (_, hint) = refusal("[network]\naddress_pool = \"10.200.0.1/16\"\n");
    assert_eq!(hint.as_deref(), Some("write 10.200.0.0/16"));
    let (message, _) = refusal("[lambda]\naccount_id = 123456789012\n");
    assert!(
        message.contains("must be a string, not an integer"),
        "{message}"
    );
    let (_, hint) = refusal("[log]\nlevel = \"inof\"\n");
    assert_eq!(hint.as_deref(), Some("did you mean \"info\"?"));
    let (message, _) = refusal("[server]\nstate_dir = \"/a/../b\"\n");
    assert!(message.contains("`..`"), "{message}");
}

#[test]
fn an_open_address_needs_access_keys() {
    let error = from_file("[server]\nlisten = \"0.0.0.0:3001\"\n").unwrap_err();
    assert!(matches!(error, ConfigError::Exposed { .. }), "{error}");
    assert!(
        error
            .to_string()
            .contains(".toml:2:10: server.listen is 0.0.0.0:3001"),
        "{error}"
    );
    assert!(error.hint().unwrap().contains("access_keys"));
    let keys = "[auth]\naccess_keys = [{ id = \"AKID\", secret = \"0123456789012345678901234567890123456789\" }]\n";
    let config = from_file(&format!("[server]\nlisten = \"0.0.0.0:3001\"\n{keys}")).unwrap();
    assert_eq!(config.auth.access_keys[0].id, "AKID");
    assert!(from_file("[server]\nlisten = \"[::1]:3001\"\n").is_ok());
}

#[test]
fn secrets_are_never_shown() {
    let secret = "s3cret7890123456789012345678901234567890";
    let file = format!("[auth]\naccess_keys = [{{ id = \"AKID\", secret = \"{secret}\" }}]\n");
    let settings = settings(&file, &[], &[]).unwrap();
    let shown: Vec<String> = settings
        .rows()
        .map(|(_, value, _)| value.to_string())
        .collect();
    let all = format!("{shown:?} {settings:?} {:?}", settings.check().unwrap());
    assert!(!all.contains(secret), "{all}");
    assert!(all.contains("AKID"));
    for bad in ["short", "AKID"] {
        let error = layered(
            "",
            &[("OFFSHOOT_AUTH_ACCESS_KEYS", &format!("AKID:{bad}"))],
            &[],
        )
        .unwrap_err();
        assert!(!error.to_string().contains(&format!(":{bad}")), "{error}");
    }
    assert!(
        layered(
            "",
            &[(
                "OFFSHOOT_AUTH_ACCESS_KEYS",
                &format!("A:{secret},A:{secret}")
            )],
            &[]
        )
        .is_err()
    );
}

#[test]
fn what_is_no_configuration_file_is_named() {
    let gather = |path: &std::path::Path| {
        Settings::gather(&Layers {
            file: Some(path.to_owned()),
            ..Layers::default()
        })
        .unwrap_err()
    };
    let dir = tempfile::tempdir().unwrap();
    assert!(gather(dir.path()).to_string().contains("is a directory"));
    assert!(matches!(
        gather(&dir.path().join("none")),
        ConfigError::Read { .. }
    ));
    let fifo = dir.path().join("fifo");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &fifo,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RWXU,
        0,
    )
    .unwrap();
    assert!(gather(&fifo).to_string().contains("is a FIFO"));
    let large = dir.path().join("large");
    std::fs::File::create(&large)
        .unwrap()
        .set_len(1 << 30)
        .unwrap();
    assert!(matches!(gather(&large), ConfigError::TooLarge { .. }));
    let binary = dir.path().join("binary");
    std::fs::write(&binary, b"[log]\n\xff").unwrap();
    assert!(matches!(
        gather(&binary),
        ConfigError::NotUtf8 { offset: 6, .. }
    ));
    assert!(
        gather(std::path::Path::new("/dev/zero"))
            .to_string()
            .contains("is a device")
    );
}

#[test]
fn a_relative_state_dir_in_a_file_is_beside_the_file() {
    let config = from_file("[server]\nstate_dir = \"state\"\n").unwrap();
    assert_eq!(config.server.state_dir, std::env::temp_dir().join("state"));
}

#[test]
fn functions_have_network_policies_of_their_own() {
    let file = r#"
[network]
egress = true
name_servers = ["192.0.2.53"]
[network.functions]
closed = "none"
open = "everywhere"
mailer = { allow = ["192.0.2.0/24:443", "*.example.com"], deny = ["192.0.2.7"], bits_per_second = 1_000_000 }
[network.functions."with-dash_1"]
connections_per_second = 10
"#;
    let settings = settings(file, &[], &[]).unwrap();
    let network = settings.check().unwrap().network;
    assert_eq!(network.name_servers, [IpAddr::from([192, 0, 2, 53])]);
    assert_eq!(network.functions["closed"], NetworkPolicy::None);
    assert_eq!(network.functions["open"], NetworkPolicy::everywhere());
    let mailer = network.functions["mailer"].egress().unwrap();
    assert_eq!((mailer.allow.len(), mailer.deny.len()), (2, 1));
    assert_eq!(mailer.rate.unwrap().bits_per_second, Some(1_000_000));
    let dash = network.functions["with-dash_1"].egress().unwrap();
    assert_eq!(dash.rate.unwrap().connections_per_second, Some(10));
    // What is shown can be given by the environment.
    let (_, shown, _) = settings
        .rows()
        .find(|(key, ..)| key == "network.functions")
        .unwrap();
    assert_eq!(
        shown["mailer"]["allow"],
        serde_json::json!(["192.0.2.0/24:443", "*.example.com"])
    );
    let text = r#"{ closed = "none", mailer = { allow = ["192.0.2.1"] } }"#;
    let environment = [("OFFSHOOT_NETWORK_FUNCTIONS", text)];
    let network = layered(file, &environment, &[]).unwrap().network;
    assert_eq!(network.functions.len(), 2);
}

#[test]
fn network_policy_that_cannot_be_carried_out_is_refused_with_its_function() {
    let of = |policy: &str| refusal(&format!("[network.functions]\nmailer = {policy}\n"));
    for (policy, problem) in [
        (
            "\"some\"",
            "must be \"none\", \"everywhere\" or a table, not \"some\"",
        ),
        ("{ allow = [\"169.254.169.254\"] }", "link-local"),
        ("{ allow = [\"nonsense/8\"] }", "neither an IPv4 network"),
        (
            "{ allow = \"192.0.2.1\" }",
            "has no list of strings as allow",
        ),
        ("{ deny = [1] }", "has no list of strings as deny"),
        ("{ allow = [] }", "allows nothing"),
        ("{ bits_per_second = 1 }", "must be from 64000"),
        ("{ packets_per_second = 5000000000 }", "too large"),
        ("3", "must be \"none\""),
    ] {
        let (message, _) = of(policy);
        assert!(
            message.contains("network.functions has for mailer a policy that")
                && message.contains(problem),
            "{policy}: {message}"
        );
    }
    let (_, hint) = of("{ alow = [] }");
    assert_eq!(hint.as_deref(), Some("did you mean allow?"));
    let (message, _) = refusal("[network.functions]\n\"a/b\" = \"none\"\n");
    assert!(message.contains("cannot be a function's name"), "{message}");
    let (message, _) = refusal("[network]\nfunctions = \"x\"\n");
    assert!(
        message.contains("must be a table of functions"),
        "{message}"
    );
    let (message, _) = refusal("[network]\nname_servers = [\"dns.example\"]\n");
    assert!(message.contains("IP addresses only"), "{message}");
    for text in ["x", "{", "{} \nother = 1", "1"] {
        assert!(
            layered("", &[("OFFSHOOT_NETWORK_FUNCTIONS", text)], &[]).is_err(),
            "{text}"
        );
    }
}

#[test]
fn secret_names_are_patterns() {
    let file = "[seeds]\nsecret_names = [\"*KEY*\", \"!PUBLIC_KEY\"]\nsecrets = \"refuse\"\n";
    let seeds = layered(file, &[], &[]).unwrap().seeds;
    assert_eq!(seeds.secret_names, ["*KEY*", "!PUBLIC_KEY"]);
    assert_eq!(seeds.secrets, SecretPolicy::Refuse);
    let environment = [("OFFSHOOT_SEEDS_SECRET_NAMES", "A, B*")];
    let seeds = layered(file, &environment, &[]).unwrap().seeds;
    assert_eq!(seeds.secret_names, ["A", "B*"]);
    let none = layered("[seeds]\nsecret_names = []\n", &[], &[]).unwrap();
    assert!(none.seeds.secret_names.is_empty());
    for wrong in ["[\"A-B\"]", "[\"\"]", "[\"!\"]", "[1]", "\"A\""] {
        let (message, _) = refusal(&format!("[seeds]\nsecret_names = {wrong}\n"));
        assert!(message.contains("seeds.secret_names"), "{wrong}: {message}");
    }
}

#[test]
fn roles_have_a_file_or_keys_and_show_no_secret() {
    let file = r#"
[credentials.roles]
"arn:aws:iam::000000000000:role/file" = "/run/role.json"
[credentials.roles."arn:aws:iam::000000000000:role/path/keys"]
access_key_id = "AKEXAMPLE"
secret_access_key = "open sesame"
"#;
    let settings = settings(file, &[], &[]).unwrap();
    let config = settings.check().unwrap();
    assert_eq!(config.credentials.roles.len(), 2);
    let shown: Vec<_> = settings.rows().map(|(_, value, _)| value).collect();
    assert!(!format!("{shown:?} {config:?}").contains("sesame"));
    assert!(format!("{shown:?}").contains("/run/role.json"));
}

#[test]
fn roles_that_cannot_be_used_are_refused_without_their_secrets() {
    let role = "arn:aws:iam::000000000000:role/r";
    for (source, problem) in [
        ("\"role.json\"", "not the absolute path"),
        ("3", "the path of a file or a table"),
        ("{ access_key_id = \"A\" }", "has no secret_access_key"),
        (
            "{ access_key_id = 1, secret_access_key = \"sesame\" }",
            "is not a string",
        ),
        (
            "{ access_key_id = \"A\", secret_key = \"sesame\" }",
            "unknown key secret_key",
        ),
    ] {
        let (message, _) = refusal(&format!("[credentials.roles]\n\"{role}\" = {source}\n"));
        assert!(
            message.contains(role) && message.contains(problem) && !message.contains("sesame"),
            "{source}: {message}"
        );
    }
    for wrong in [
        "r",
        "arn:aws:iam::0:role/r",
        "arn:aws:iam::000000000000:user/r",
    ] {
        let (message, hint) = refusal(&format!("[credentials.roles]\n\"{wrong}\" = \"/x\"\n"));
        assert!(
            message.contains("not the ARN of a role") && hint.is_some(),
            "{message}"
        );
    }
    for text in ["sesame", "{", "{}\nother = 1"] {
        let error = layered("", &[("OFFSHOOT_CREDENTIALS_ROLES", text)], &[]).unwrap_err();
        assert!(!error.to_string().contains("sesame"));
    }
}
