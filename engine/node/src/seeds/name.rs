//! What a seed is called: by all that decides what its process is.

use offshoot_seed::{BadName, ImageName};

use crate::{InstanceSpec, NodeError, environment, runtimes};

/// Counts changes of what a seed is that nothing else in its name shows.
const GENERATION: u32 = 2;

/// What names begin with.
const VERSION: &str = "version";
const RUNTIME: &str = "runtime";

/// The name of the image of a version's seed. Equal for two specifications only if a process of one serves for the other;
/// files of the host (the interpreter, its libraries) are checked when a template opens them.
///
/// `spec` is what the seed is made from ([`SecretRules`](crate::SecretRules)): of secret variables it has the names only, so
/// that a seed outlives their values. `has_credentials` is whether its sandbox has an endpoint for them.
pub(super) fn of(spec: &InstanceSpec, has_credentials: bool) -> Result<ImageName, NodeError> {
    let mut digest = Digest::new(spec);
    let mut put = |part: &[u8]| digest.put(part);
    put(&[u8::from(has_credentials)]);
    put(&spec.memory_mb.to_le_bytes());
    put(&spec.ephemeral_mb.to_le_bytes());
    put(spec.task_dir.as_os_str().as_encoded_bytes());
    put(&(spec.layer_dirs.len() as u64).to_le_bytes());
    for dir in &spec.layer_dirs {
        put(dir.as_os_str().as_encoded_bytes());
    }
    for word in environment::command(spec)? {
        put(word.as_bytes());
    }
    // Handler, version, limits and the rest of the runtime's settings are among these.
    for (name, value) in environment::variables(spec, "") {
        put(name.as_bytes());
        put(value.as_bytes());
    }
    digest.name(VERSION, spec)
}

/// The name of the image of a runtime's seed: one for each account, as it has one layout of memory and one secret of hashes.
pub(super) fn of_runtime(spec: &InstanceSpec) -> Result<ImageName, NodeError> {
    let mut digest = Digest::new(spec);
    for word in environment::command(spec)? {
        digest.put(word.as_bytes());
    }
    for (name, value) in environment::runtime_variables(spec.runtime) {
        digest.put(name.as_bytes());
        digest.put(value.as_bytes());
    }
    digest.name(RUNTIME, spec)
}

/// What parts the name of a runtime's image from its rotation.
const ROTATION: &str = "-r";

/// The image of a runtime's seed that was made anew so often.
pub(super) fn rotated(runtime: &ImageName, rotation: u64) -> Result<ImageName, BadName> {
    match rotation {
        0 => Ok(runtime.clone()),
        _ => ImageName::new(format!("{runtime}{ROTATION}{rotation}")),
    }
}

/// The name of the runtime of whose seed this is an image, and how often that was made anew before; none if it is of no runtime.
pub(super) fn rotation(image: &ImageName) -> Option<(ImageName, u64)> {
    let text = image.as_str();
    let (_, digest) = text.split_once('-').filter(|(kind, _)| *kind == RUNTIME)?;
    let Some((digest, rotation)) = digest.split_once(ROTATION) else {
        return Some((image.clone(), 0));
    };
    let rotation = rotation.parse().ok().filter(|rotation| *rotation > 0)?;
    let runtime = ImageName::new(format!("{RUNTIME}-{digest}")).ok()?;
    Some((runtime, rotation))
}

/// Parts, each with its length.
struct Digest(blake3::Hasher);

impl Digest {
    /// With what decides every seed.
    fn new(spec: &InstanceSpec) -> Self {
        let mut digest = Self(blake3::Hasher::new());
        digest.put(&GENERATION.to_le_bytes());
        digest.put(runtimes::digest());
        digest.put(spec.account_id.as_bytes());
        digest
    }

    fn put(&mut self, part: &[u8]) {
        self.0.update(&(part.len() as u64).to_le_bytes());
        self.0.update(part);
    }

    fn name(self, kind: &str, spec: &InstanceSpec) -> Result<ImageName, NodeError> {
        let digest = self.0.finalize().to_hex();
        let name = ImageName::new(format!("{kind}-{}", &digest[..40]));
        name.map_err(|error| NodeError::Unseedable {
            function: spec.function.to_string(),
            why: error.to_string(),
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use super::*;
    use crate::spec::samples::spec;
    use crate::{SecretPolicy, SecretRules};

    #[test]
    fn all_that_decides_what_a_process_is_changes_the_name() {
        let name = of(&spec(), false).unwrap();
        assert_eq!(name, of(&spec(), false).unwrap());
        let others = [
            InstanceSpec {
                memory_mb: 256,
                ..spec()
            },
            InstanceSpec {
                handler: "app.other".into(),
                ..spec()
            },
            InstanceSpec {
                account_id: "000000000001".into(),
                ..spec()
            },
            InstanceSpec {
                task_dir: "/packages/2".into(),
                ..spec()
            },
            InstanceSpec {
                layer_dirs: vec!["/packages/2".into()],
                ..spec()
            },
            InstanceSpec {
                version: "2".into(),
                ..spec()
            },
            InstanceSpec {
                snap_start: true,
                ..spec()
            },
            // The same letters, parted otherwise.
            InstanceSpec {
                env: BTreeMap::from([("AB".to_owned(), "C".to_owned())]),
                ..spec()
            },
        ];
        for other in others {
            assert_ne!(name, of(&other, false).unwrap(), "{other:?}");
        }
    }

    #[test]
    fn changed_secret_is_the_same_seed_and_another_rule_is_another_one() {
        let with = |value: &str| {
            let env = BTreeMap::from([("API_KEY".to_owned(), value.to_owned())]);
            Arc::new(InstanceSpec { env, ..spec() })
        };
        let named = |patterns: &[&str], value: &str| {
            let patterns: Vec<_> = patterns.iter().map(|&text| text.to_owned()).collect();
            let rules = SecretRules::new(&patterns, SecretPolicy::Warn);
            of(&rules.seed_spec(&with(value)), false).unwrap()
        };
        assert_eq!(named(&["*KEY"], "one"), named(&["*KEY"], "two"));
        assert_ne!(named(&[], "one"), named(&[], "two"));
        assert_ne!(named(&["*KEY"], "one"), named(&[], "one"));
    }

    #[test]
    fn image_of_a_runtime_tells_how_often_it_was_made_anew() {
        let runtime = of_runtime(&spec()).unwrap();
        for number in [0, 1, 12, 999_999] {
            let image = rotated(&runtime, number).unwrap();
            assert_eq!(rotation(&image), Some((runtime.clone(), number)), "{image}");
        }
        let version = of(&spec(), false).unwrap();
        for other in [
            version.as_str(),
            "runtime",
            "runtime-ab-r0",
            "runtime-ab-rx",
            "runtimes-ab-r1",
        ] {
            assert_eq!(rotation(&ImageName::new(other).unwrap()), None, "{other}");
        }
    }

    #[test]
    fn endpoint_for_credentials_is_another_seed() {
        assert_ne!(of(&spec(), true).unwrap(), of(&spec(), false).unwrap());
    }
}
