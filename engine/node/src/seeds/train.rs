//! Training: what is to become a seed handles events first, so that clones find code compiled and caches filled.
//!
//! An event runs code of the tenant, whatever that does: no payload that anybody has sent is ever used, and nothing is made up
//! that looks like one. The tenant names the event, in the function's variable [`EVENT`]; without it a seed is not trained.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rustix::fs::{CWD, FileType, Mode, OFlags, ResolveFlags, fstat, openat, openat2};

use super::make::answered;
use crate::activate::activate;
use crate::failure::INIT_REQUEST;
use crate::instance::Instance;
use crate::message::Message;
use crate::{Activated, Answer, CreateFailure, Event, Failure, InstanceSpec, Node, Reply};

/// The variable whose value each seed of the function handles before it is frozen: JSON, or [`FILE`] and the path of a file of
/// the function's package that has it, as all variables of a function have room for 4 KB.
const EVENT: &str = "OFFSHOOT_TRAINING_EVENT";
/// No JSON begins with it.
const FILE: char = '@';
/// As much as an event may have that somebody sends and waits for.
const LONGEST_BYTES: u64 = 6 << 20;
/// How often: CPython 3.11 specialises code after eight runs, and V8 has compiled by then what it compiles early.
const ROUNDS: usize = 16;
/// Before this round garbage is collected. A whole collection has V8 drop compiled code along with objects that it was
/// compiled for: the last rounds compile it again, for what has stayed.
const COLLECTED_BEFORE: usize = 10;

/// Has an instance handle its function's training event, if it has one. Errors of the handler are logged, as ever, and no
/// reason against a seed.
pub(super) async fn train(node: &Node, mut instance: Instance) -> Result<Instance, CreateFailure> {
    let function = Arc::clone(&instance.spec.function);
    let event = match event(&instance.spec) {
        Ok(Some(event)) => event,
        Ok(None) => return Ok(instance),
        Err(error) => {
            tracing::warn!(
                function = &*function,
                error = &error as &dyn std::error::Error,
                "the training event cannot be read"
            );
            return Ok(instance);
        }
    };
    for round in 0..ROUNDS {
        if round == COLLECTED_BEFORE {
            collect(&mut instance).await?;
        }
        let activated = activate(node, instance, event.clone(), Reply::Whole).await;
        let Activated {
            outcome,
            instance: left,
            ..
        } = activated;
        instance = match (left, outcome.answer) {
            (Some(instance), Answer::Failure(failure)) => {
                let why = failure.error_type;
                tracing::warn!(function = &*function, why, "the training event failed");
                return Ok(instance);
            }
            (Some(instance), _) => instance,
            (None, Answer::Failure(failure)) => return Err(CreateFailure::Function(failure)),
            (None, _) => {
                let failure = Failure::broke_protocol(INIT_REQUEST, "it ended in its training");
                return Err(CreateFailure::Function(failure));
            }
        };
    }
    Ok(instance)
}

async fn collect(instance: &mut Instance) -> Result<(), CreateFailure> {
    let sent = instance.transport.send_collect().await;
    let sent = sent.map_err(|error| Failure::broke_protocol(INIT_REQUEST, &error.to_string()));
    if sent.map_err(CreateFailure::Function)? {
        let answered = answered(instance, &Message::Collected).await;
        answered.map_err(CreateFailure::Function)?;
    }
    Ok(())
}

fn event(spec: &InstanceSpec) -> io::Result<Option<Event>> {
    let Some(value) = spec.env.get(EVENT).filter(|value| !value.is_empty()) else {
        return Ok(None);
    };
    let payload = match value.strip_prefix(FILE) {
        Some(path) => read(&spec.task_dir, path)?.into(),
        None => Bytes::copy_from_slice(value.as_bytes()),
    };
    let (region, account, function) = (&spec.region, &spec.account_id, &spec.function);
    Ok(Some(Event {
        request_id: uuid::Uuid::new_v4().to_string().into(),
        payload,
        invoked_arn: format!("arn:aws:lambda:{region}:{account}:function:{function}").into(),
        trace_id: None,
        client_context: None,
        cognito_identity: None,
        tenant_id: None,
        wants_tail: false,
        queued: Duration::ZERO,
    }))
}

/// A file of a package. Whoever wrote the package chose path and file: neither leads out of it, by no link, and what is no
/// regular file is not read.
fn read(package: &Path, path: &str) -> io::Result<Vec<u8>> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    let folder = openat(CWD, package, flags | OFlags::DIRECTORY, Mode::empty())?;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    // A FIFO without a writer would not open otherwise.
    let file = openat2(
        folder,
        path,
        flags | OFlags::NONBLOCK,
        Mode::empty(),
        resolve,
    )?;
    if FileType::from_raw_mode(fstat(&file)?.st_mode) != FileType::RegularFile {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no file"));
    }
    let mut payload = Vec::new();
    File::from(file)
        .take(LONGEST_BYTES + 1)
        .read_to_end(&mut payload)?;
    if payload.len() as u64 > LONGEST_BYTES {
        return Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            format!("it has more than {LONGEST_BYTES} bytes"),
        ));
    }
    Ok(payload)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::spec::samples;

    fn payload(task_dir: &Path, value: &str) -> io::Result<Option<Bytes>> {
        let mut spec = samples::spec();
        spec.task_dir = task_dir.to_owned();
        spec.env.insert(EVENT.to_owned(), value.to_owned());
        Ok(event(&spec)?.map(|event| event.payload))
    }

    #[test]
    fn an_event_is_the_value_or_what_a_file_of_the_package_has() {
        let package = tempfile::tempdir().unwrap();
        fs::create_dir(package.path().join("events")).unwrap();
        fs::write(package.path().join("events/one.json"), "[1]").unwrap();
        let of = |value: &str| payload(package.path(), value).unwrap();
        assert_eq!(of(""), None);
        assert_eq!(of("{}").unwrap(), "{}");
        assert_eq!(of("@events/one.json").unwrap(), "[1]");
    }

    #[test]
    fn no_path_leads_out_of_the_package_and_what_is_no_file_is_not_read() {
        let (outside, package) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let secret = outside.path().join("secret");
        fs::write(&secret, "secret").unwrap();
        let within = |name: &str| package.path().join(name);
        symlink(&secret, within("link")).unwrap();
        symlink("/proc/self/root", within("magic")).unwrap();
        rustix::fs::mknodat(CWD, within("pipe"), FileType::Fifo, Mode::RUSR, 0).unwrap();
        let up = format!(
            "@../{}/secret",
            outside.path().file_name().unwrap().display()
        );
        let absolute = format!("@{}", secret.display());
        for path in [
            &up,
            &absolute,
            "@link",
            "@magic/etc/passwd",
            "@pipe",
            "@.",
            "@",
            "@none",
            "@a\0b",
        ] {
            assert!(payload(package.path(), path).is_err(), "{path}");
        }
        // The control: the same file is read where it belongs.
        let of = payload(outside.path(), "@secret");
        assert_eq!(of.unwrap().unwrap(), "secret");
    }

    #[test]
    fn a_file_larger_than_any_event_is_refused() {
        let package = tempfile::tempdir().unwrap();
        let file = File::create(package.path().join("large")).unwrap();
        file.set_len(LONGEST_BYTES).unwrap();
        assert!(payload(package.path(), "@large").is_ok());
        file.set_len(LONGEST_BYTES + 1).unwrap();
        let refused = payload(package.path(), "@large").unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::FileTooLarge);
    }
}
