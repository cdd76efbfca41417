//! The child's way, from its birth to the program.

use core::ptr::addr_of_mut;

use offshoot_plan::{MAX_SUBSTITUTIONS, Phase, ReplyKind, Request, fd};

use crate::message::{MAX_DESCRIPTORS, Received, reply};
use crate::{confine, fail, generation, header, identity, interpret, own, sys, threads, touch};

const CLONE_NEWPID: u32 = 0x2000_0000;
const EINTR: i64 = -4;
const EEXIST: i64 = -17;

/// The child's whole way.
pub fn become_clone(received: &Received, first: usize, sandbox: i32) -> ! {
    let request = &received.request;
    let token = request.token;
    let stop = |op, result| fail(token, Phase::Stub, op, result);
    let mut next = first;
    // Where the kernel has chosen the id, it may be the seed's by chance.
    // SAFETY: asks only.
    let pid = unsafe { sys::call3(sys::GETPID, 0, 0, 0) };
    if pid as u64 == header().pid {
        stop(13, EEXIST);
    }
    if let Err(error) = join(received, &mut next, sandbox) {
        stop(3, error);
    }
    let who = (request.flags & Request::WHO != 0).then_some(request.who);
    if let Err(error) = identity::apply(&header().credentials, who) {
        stop(4, error);
    }
    if let Err(error) = generation::begin() {
        stop(11, error);
    }
    let park = take_descriptors(received, next).unwrap_or_else(|error| stop(5, error));
    let run = |phase, span| {
        if let Err((op, result)) = interpret::run(span) {
            fail(token, phase, op, result);
        }
    };
    run(Phase::Memory, header().memory);
    close_templates();
    run(Phase::Clone, header().clone);
    if let Err(error) = confine::restrict() {
        stop(14, error);
    }
    threads::start(token);
    if request.flags & Request::PREFAULT != 0 {
        run(Phase::Prefault, header().prefault);
    }
    let watched = request.flags & Request::WATCH != 0;
    if park.is_some() && !watched {
        touch::touch();
    }
    if watched {
        run(Phase::Watch, header().watch);
    }
    threads::wait_for_all();
    run(Phase::Settle, header().settle);
    let close = || {
        if let Err(error) = confine::close() {
            stop(12, error);
        }
    };
    // What signals and timers need, the closed filter refuses. Most programs have none: then the load is no part of waking.
    let closes_early = header().resume.count == 0;
    if closes_early {
        close();
    }
    if let Some(park) = park {
        wait(token, park);
    }
    if !closes_early {
        run(Phase::Resume, header().resume);
        close();
    }
    if request.flags & Request::CONFIRM != 0 {
        reply(ReplyKind::Running, token);
    }
    // SAFETY: closes the stub's own descriptors; lets the threads go; then nothing of the stub runs any more.
    unsafe {
        if watched {
            sys::call3(sys::CLOSE_RANGE, own(0), own(fd::WATCHER) - 1, 0);
        }
        let kept = if watched { fd::WATCHER + 1 } else { 0 };
        sys::call3(sys::CLOSE_RANGE, own(kept), u64::from(u32::MAX), 0);
        threads::let_go();
        threads::become_program(header().main_frame, header().main_rseq)
    }
}

/// Closes what the template has given this clone, but the control socket: before a path is opened, because a file that is
/// open can be opened again by its path in `/proc/self/fd`, with more rights, and a socket cannot.
fn close_templates() {
    let last = own(fd::FILES + header().kept_files) - 1;
    // SAFETY: closes descriptors of this process that it does not use any more.
    unsafe { sys::call3(sys::CLOSE_RANGE, own(fd::CONTROL + 1), last, 0) };
}

/// Enters the sandbox. Writing "0" moves the writer itself, which is cheap as long as it has one thread.
fn join(received: &Received, next: &mut usize, sandbox: i32) -> Result<(), i64> {
    let request = &received.request;
    for _ in 0..request.cgroup_files {
        let tasks = received.rights.descriptors[(*next).min(MAX_DESCRIPTORS - 1)] as u64;
        *next += 1;
        // SAFETY: writes one byte.
        let moved = unsafe { sys::call3(sys::WRITE, tasks, b"0".as_ptr() as u64, 1) };
        if sys::is_error(moved) {
            return Err(moved);
        }
    }
    if sandbox >= 0 {
        // Its template's session is the daemon's: signals to a group, and a terminal.
        // SAFETY: the process is new, and leads no group.
        let began = unsafe { sys::call3(sys::SETSID, 0, 0, 0) };
        if sys::is_error(began) {
            return Err(began);
        }
    }
    let namespaces = request.namespaces & !CLONE_NEWPID;
    if sandbox >= 0 && namespaces != 0 {
        // SAFETY: changes the namespaces of this process only.
        let set = unsafe { sys::call3(sys::SETNS, sandbox as u64, u64::from(namespaces), 0) };
        if sys::is_error(set) {
            return Err(set);
        }
    }
    Ok(())
}

/// Gives what has come its numbers, and closes everything else. The descriptor to park at, among the stub's own.
fn take_descriptors(received: &Received, first: usize) -> Result<Option<u64>, i64> {
    let request = &received.request;
    let came = received.count.saturating_sub(first);
    let high = |at: usize| own(fd::FILES + header().kept_files) + at as u64;
    // Out of the way first: what has come lies where some of it may have to go.
    for at in 0..came {
        let from = received.rights.descriptors[first + at] as u64;
        move_to(from, high(at), true)?;
    }
    // SAFETY: closes descriptors of this process.
    unsafe { sys::call3(sys::CLOSE_RANGE, 0, own(0) - 1, 0) };
    let parks = request.flags & Request::PARK != 0;
    let skipped = usize::from(parks);
    let count = (request.substitutions as usize).min(MAX_SUBSTITUTIONS);
    for at in 0..count.min(came.saturating_sub(skipped)) {
        let close_on_exec = request.close_on_exec & (1 << at) != 0;
        move_to(
            high(skipped + at),
            u64::from(request.targets[at]),
            close_on_exec,
        )?;
    }
    Ok(parks.then(|| high(0)))
}

fn move_to(from: u64, to: u64, close_on_exec: bool) -> Result<(), i64> {
    let flags = if close_on_exec { 0o2_000_000 } else { 0 };
    // SAFETY: only descriptors change.
    let moved = unsafe { sys::call3(sys::DUP3, from, to, flags) };
    if sys::is_error(moved) {
        Err(moved)
    } else {
        Ok(())
    }
}

/// Waits until the park descriptor can be read; if it is closed instead, nobody will ever wake this clone.
fn wait(token: u64, park: u64) {
    reply(ReplyKind::Parked, token);
    let mut word = 0_u64;
    loop {
        // SAFETY: reads eight bytes.
        let read = unsafe { sys::call3(sys::READ, park, addr_of_mut!(word) as u64, 8) };
        if read > 0 {
            return;
        }
        if read == 0 {
            sys::exit(0);
        }
        if read != EINTR {
            fail(token, Phase::Stub, 7, read);
        }
    }
}
