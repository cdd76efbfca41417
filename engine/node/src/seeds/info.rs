//! Seeds as operators see them.

use std::sync::Arc;

use offshoot_seed::Memory;

use super::{State, Version, runtime};

/// What is known of the seed of a version, or of a runtime.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SeedInfo {
    /// The function; of a runtime's seed, the runtime.
    pub function: Arc<str>,
    /// `$LATEST` or a number; of a runtime's seed, `runtime`.
    pub version: Arc<str>,
    /// 1 for a runtime, 2 for a function's version.
    pub level: u8,
    /// `none`, `unknown` (an image of an earlier daemon may be there), `stored`, `resident` or `refused`.
    pub state: &'static str,
    /// The image's name, if there is one.
    pub image: Option<String>,
    /// The image of which it stores only the difference; known of resident ones.
    pub parent: Option<String>,
    /// How much of the disk the image takes, in bytes, without its parent; known of resident ones.
    pub stored_bytes: Option<u64>,
    /// Whether it is known which pages clones need; of resident ones.
    pub learnt: Option<bool>,
    /// Where the pages of its templates live: `local` or `mapped`; of resident ones.
    pub backing: Option<&'static str>,
    /// The first template's process, on the daemon's machine.
    pub template_pid: Option<i32>,
    /// How many templates there are: more than one while one is not enough.
    pub templates: usize,
    /// What looks like a secret in its image, and where; known of images that this daemon made.
    pub secrets: Option<Arc<str>>,
    /// Why there cannot be one.
    pub reason: Option<Arc<str>>,
}

impl Version {
    pub(super) fn info(&self) -> SeedInfo {
        let bare = |state| SeedInfo {
            function: Arc::clone(&self.function),
            version: Arc::clone(&self.label),
            level: if &*self.label == runtime::LABEL { 1 } else { 2 },
            state,
            image: None,
            parent: None,
            stored_bytes: None,
            learnt: None,
            backing: None,
            template_pid: None,
            templates: 0,
            secrets: super::lock(&self.secrets).clone(),
            reason: None,
        };
        let image = || Some(self.image().to_string());
        match self.state() {
            State::Unknown => bare("unknown"),
            State::Absent => bare("none"),
            State::Stored => SeedInfo {
                image: image(),
                ..bare("stored")
            },
            State::Resident(templates) => {
                let seed = templates.first();
                SeedInfo {
                    image: image(),
                    parent: seed.parent().map(ToString::to_string),
                    stored_bytes: Some(seed.stored_bytes()),
                    learnt: Some(seed.is_learnt()),
                    backing: Some(match seed.memory() {
                        Memory::Local => "local",
                        Memory::Mapped => "mapped",
                    }),
                    template_pid: Some(seed.template_pid()),
                    templates: templates.all().len(),
                    ..bare("resident")
                }
            }
            State::Refused(reason) => SeedInfo {
                reason: Some(reason),
                ..bare("refused")
            },
        }
    }
}
