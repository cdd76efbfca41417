//! What the fuzz targets in `fuzz/` need of this crate's inside (feature `fuzz`).

use offshoot_image::model::Profile;

use crate::confine::{Confined, Confinement, PathRules};
use crate::reader::Seed;
use crate::wire::{Birth, Make, Notice, decode, encode};
use crate::{FileUser, Memory, Substituted};

/// Any bytes as each message that a process of this crate reads from another.
pub fn messages(bytes: &[u8]) {
    let _ = decode::<Make>(bytes);
    let _ = decode::<Notice>(bytes);
    let _ = decode::<Birth>(bytes);
    let _ = decode::<Result<Seed, String>>(bytes);
}

/// A genuine message of each kind.
pub fn message_samples() -> Vec<Vec<u8>> {
    let make = Make {
        has_recipe: false,
        memory: Memory::Local,
        images_to_check: 1,
        confined: Some(Confined::new(&Confinement {
            inherited: &[],
            last: &[],
            limits: &[(7, 1024)],
            paths: Some(PathRules {
                handled: 15,
                flags: 1,
                beneath: &[(c"/tmp", 15)],
            }),
        })),
        profile: Some(Profile::default()),
        number: 5,
        files_as: Some(FileUser {
            user: 1000,
            group: 1000,
        }),
        has_root: false,
        key: [7; 32],
    };
    let needs = Birth::Needs(vec![Substituted {
        number: 3,
        open_file: 1,
        close_on_exec: true,
        flags: 2,
        description: "a pipe".into(),
    }]);
    let seed: Result<Seed, String> = Ok(Seed {
        plan: vec![1, 2, 3],
        files: Vec::new(),
        substituted: Vec::new(),
        pid: 100,
    });
    let ended = Notice::Ended { pid: 7, status: 9 };
    let samples = [
        encode(&make),
        encode(&ended),
        encode(&needs),
        encode(&Birth::Refused("no".into())),
        encode(&seed),
    ];
    samples.into_iter().flatten().collect()
}
