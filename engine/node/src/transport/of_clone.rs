//! What a clone is talked to over: of the same kind as its seed's, and its own.

use std::io;
use std::os::fd::OwnedFd;

use offshoot_sandbox::{Launcher, Taken};
use offshoot_seed::{Seed, Substituted};

use super::{ChannelEnd, Transport};
use crate::runtime_api::ApiEnd;
use crate::{InstanceSpec, environment};

/// `O_NONBLOCK` on x86-64.
const NONBLOCK: u32 = 0o4000;
/// The descriptor number of the channel.
const CHANNEL: u32 = 3;
/// Standard output and standard error; both lead to the log.
const OUTPUT: [u32; 2] = [1, 2];

/// The clone's end, and the number that it has there.
#[derive(Debug)]
pub(crate) struct CloneEnd {
    pub(crate) number: u32,
    pub(crate) file: OwnedFd,
}

/// Makes both ends, in a sandbox in which nobody is yet.
pub(crate) async fn of_clone(
    launcher: &Launcher,
    taken: &Taken,
    seed: &Seed,
    spec: &InstanceSpec,
) -> io::Result<(Transport, CloneEnd)> {
    if environment::speaks_channel(spec.runtime) {
        let (channel, file) = ChannelEnd::pair()?;
        let number = CHANNEL;
        return Ok((Transport::Channel(channel), CloneEnd { number, file }));
    }
    let connection = connection(seed.needs()).ok_or(io::ErrorKind::NotConnected)?;
    let nonblocking = connection.flags & NONBLOCK != 0;
    let sockets = launcher.runtime_api(taken, nonblocking).await?;
    let (api, file) = ApiEnd::serve_clone(sockets, spec)?;
    let number = connection.number;
    Ok((Transport::Api(api), CloneEnd { number, file }))
}

/// Of what a clone of such a runtime is given, what is not for output is the connection to the Runtime API. Duplicates of
/// it have the same file.
fn connection(needs: &[Substituted]) -> Option<&Substituted> {
    needs.iter().find(|need| !OUTPUT.contains(&need.number))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn need(number: u32) -> Substituted {
        Substituted {
            number,
            open_file: number,
            close_on_exec: true,
            flags: 2,
            description: "a file".into(),
        }
    }

    #[test]
    fn connection_is_what_is_not_output() {
        let needs = [need(1), need(2), need(7)];
        assert_eq!(connection(&needs).unwrap().number, 7);
        assert_eq!(connection(&needs[..2]), None);
    }
}
