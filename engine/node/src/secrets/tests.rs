//! What is withheld, and what is said of it.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::Failure;
use crate::spec::samples;

fn rules() -> SecretRules {
    SecretRules::new(&["*PASSWORD*".to_owned()], Policy::Warn)
}

pub(crate) fn spec(env: &[(&str, &str)]) -> Arc<InstanceSpec> {
    let env = env.iter();
    Arc::new(InstanceSpec {
        env: env
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
        ..samples::spec()
    })
}

#[test]
fn seed_has_the_names_of_secret_variables_and_not_the_values() {
    let spec = spec(&[("A", "1"), ("DB_PASSWORD", "x"), ("PASSWORD", "y")]);
    let seed = rules().seed_spec(&spec);
    let expected = [("A", "1"), (WITHHELD, "DB_PASSWORD,PASSWORD")];
    let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(seed.env, BTreeMap::from(expected));
    let open = spec_without();
    assert!(Arc::ptr_eq(&rules().seed_spec(&open), &open));
}

fn spec_without() -> Arc<InstanceSpec> {
    spec(&[("A", "1")])
}

#[test]
fn clone_gets_them_in_one_frame_or_there_is_none() {
    let own = |value: &str| {
        let spec = spec(&[("A", "1"), ("PASSWORD", value)]);
        ClonesOwn::new(
            &spec,
            rules().secret(&spec),
            [("T".to_owned(), "t".to_owned())],
        )
    };
    let fits = own("open sesame").unwrap();
    let told: Vec<_> = fits.variables().collect();
    assert_eq!(told, [("PASSWORD", Some("open sesame")), ("T", Some("t"))]);
    assert!(!format!("{fits:?}").contains("sesame"));
    // Escaped, it is six times as long.
    let error = own(&"\u{1}".repeat(11_000)).unwrap_err();
    assert!(matches!(error, NodeError::ResumeTooLong { len_bytes, .. } if len_bytes > 65_536));
}

#[test]
fn refusal_names_the_variable_and_what_to_do() {
    let spec = spec(&[("DB_PASSWORD", "x"), ("PASSWORD", "y")]);
    let secrets = rules().unwanted(&spec);
    let failed =
        |body: &'static str| CreateFailure::Function(Failure::raised(body.as_bytes().into(), None));
    let early = r#"{"errorType":"Runtime.SecretWithheld","errorMessage":"PASSWORD"}"#;
    let why = refusal(&secrets, &failed(early)).unwrap();
    assert!(
        why.contains("secret variable PASSWORD,") && why.contains("seeds.secret_names"),
        "{why}"
    );
    // A name that nobody withheld is not repeated.
    let forged = r#"{"errorType":"Runtime.SecretWithheld","errorMessage":"all is lost"}"#;
    let why = refusal(&secrets, &failed(forged)).unwrap();
    assert!(
        why.contains("DB_PASSWORD, PASSWORD") && !why.contains("lost"),
        "{why}"
    );
    let other = r#"{"errorType":"KeyError","errorMessage":"x"}"#;
    let why = refusal(&secrets, &failed(other)).unwrap();
    assert!(
        why.contains("failed (KeyError) where DB_PASSWORD, PASSWORD"),
        "{why}"
    );
    assert_eq!(refusal(&Secrets::default(), &failed(other)), None);
    assert_eq!(
        refusal(&secrets, &CreateFailure::Node(NodeError::ShutDown)),
        None
    );
}
