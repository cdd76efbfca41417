//! A template that is being made.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use offshoot_plan::{Reply, ReplyKind};
use offshoot_sys::packet;
use rustix::io::Errno;

use crate::template::{Template, TemplateError, failure};
use crate::wire::{self, Birth};
use crate::{Recipe, Substituted};

/// A process on its way to become a template. It does not need the nursery that has begun it any more, and ends when
/// this is dropped.
#[derive(Debug)]
pub struct Making {
    control: OwnedFd,
    pid: i32,
    pidfd: OwnedFd,
    /// What its clones will need, and how it is made: what it says first.
    said: Option<(Vec<Substituted>, Recipe)>,
}

/// How far a template is.
#[derive(Debug)]
pub enum Progress {
    /// It will say more.
    Making(Making),
    /// It waits for its first request.
    Ready(Template),
}

impl Making {
    pub(crate) fn new(control: OwnedFd, pid: i32, pidfd: OwnedFd) -> Self {
        Self {
            control,
            pid,
            pidfd,
            said: None,
        }
    }

    /// Waits until it is a template.
    ///
    /// # Errors
    /// The image is refused, or the process fails.
    pub fn finish(self) -> Result<Template, TemplateError> {
        let mut making = self;
        loop {
            match making.hear()? {
                Progress::Making(more) => making = more,
                Progress::Ready(template) => return Ok(template),
            }
        }
    }

    /// Hears the next that it says; waits for that, unless this is readable ([`AsFd`]).
    ///
    /// # Errors
    /// The image is refused, or the process has failed.
    pub fn hear(self) -> Result<Progress, TemplateError> {
        let talk = |errno: Errno| TemplateError::Talk(errno.into());
        let packet = packet::receive(self.control.as_fd()).map_err(talk)?;
        let (bytes, parts) = packet.ok_or(TemplateError::Ended)?;
        match self.said {
            None => {
                let said = Some(needs(&bytes, parts)?);
                Ok(Progress::Making(Self { said, ..self }))
            }
            Some((needs, recipe)) => {
                expect_ready(&bytes, &recipe)?;
                let template = Template::new(self.control, (self.pid, self.pidfd), needs, recipe);
                Ok(Progress::Ready(template))
            }
        }
    }
}

fn needs(
    bytes: &[u8],
    mut parts: Vec<OwnedFd>,
) -> Result<(Vec<Substituted>, Recipe), TemplateError> {
    let needs = match wire::decode(bytes).map_err(TemplateError::Talk)? {
        Birth::Needs(needs) => needs,
        Birth::Refused(why) => return Err(TemplateError::Refused(why)),
    };
    let (Some(rest), Some(plan)) = (parts.pop(), parts.pop()) else {
        return Err(TemplateError::Ended);
    };
    Ok((needs, Recipe { plan, rest }))
}

fn expect_ready(bytes: &[u8], recipe: &Recipe) -> Result<(), TemplateError> {
    match Reply::from_bytes(bytes) {
        Some(reply) if reply.kind == ReplyKind::Ready as u32 => Ok(()),
        Some(reply) => Err(TemplateError::Stub(failure(recipe, &reply))),
        // After the needs, the exec may still fail.
        None => match wire::decode(bytes) {
            Ok(Birth::Refused(why)) => Err(TemplateError::Refused(why)),
            _ => Err(TemplateError::Ended),
        },
    }
}

impl AsFd for Making {
    /// Readable when there is something to hear.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.control.as_fd()
    }
}
