//! Nurseries that are killed, or kill themselves: what they have made goes on, the keeper has another one, nothing is left.
#![allow(clippy::unwrap_used)]

#[path = "keeper/stage.rs"]
mod stage;

use std::error::Error;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::sync::Arc;

use offshoot_clone::{ForkError, Keeper, NurseryError, TemplateError};
use offshoot_image::Key;

use stage::{Clone, Stage, exists, kill, kill_nursery};

const NURSERY: &str = env!("CARGO_BIN_EXE_clone-nursery");
/// Says that it is ready, and ends at the first request.
const ENDS_WHEN_ASKED: &str = r"printf '\0' >&0; head -c 1 >/dev/null";

fn keeper() -> Keeper {
    Keeper::start(Path::new(NURSERY), &[]).unwrap()
}

fn of_shell(script: &str) -> Result<Keeper, NurseryError> {
    Keeper::start(Path::new("/bin/sh"), &["-c", script])
}

#[track_caller]
fn nursery_error<T>(result: Result<T, TemplateError>) -> NurseryError {
    match result {
        Err(TemplateError::Nursery(error)) => error,
        Err(error) => panic!("{error:?}"),
        Ok(_) => panic!("there is a template"),
    }
}

#[test]
fn next_template_is_made_by_another_nursery() {
    let stage = Stage::new();
    let mut keeper = keeper();
    let first = stage.template(&mut keeper, None).unwrap();
    let (orphan, recipe) = (first.pid(), Arc::clone(first.recipe()));
    drop(first);
    assert_eq!(keeper.next_exit().unwrap().pid, orphan);

    let mut nurseries = Vec::new();
    for (round, recipe) in [(1, None), (2, Some(&*recipe))] {
        let killed = kill_nursery(&keeper);
        nurseries.push(killed);
        let mut template = stage.template(&mut keeper, recipe).unwrap();
        assert_eq!(keeper.restarts(), round);
        assert_eq!(keeper.last_end().unwrap().signal(), Some(9));
        assert!(!exists(killed), "it is reaped");
        assert!(Clone::of(&mut template).answers(b'x'));
    }
    nurseries.extend(keeper.pid().map(|pid| pid as i32));
    drop(keeper);
    stage.assert_nothing_lives(&nurseries);
}

#[test]
fn clones_and_templates_of_a_dead_nursery_live_on() {
    let stage = Stage::new();
    let mut keeper = keeper();
    let mut old = stage.template(&mut keeper, None).unwrap();
    let mut before = Clone::of(&mut old);
    assert!(before.answers(b'a'));

    let killed = kill_nursery(&keeper);
    assert!(before.answers(b'b'));
    let mut after = Clone::of(&mut old);
    assert!(after.answers(b'c'), "the template goes on making clones");

    let mut new = stage.template(&mut keeper, None).unwrap();
    let mut of_new = Clone::of(&mut new);
    assert!(of_new.answers(b'd') && before.answers(b'e') && after.answers(b'f'));
    assert!(!exists(killed), "it is reaped");
    assert!(matches!(keeper.next_exit(), Err(NurseryError::Ended)));

    // Ends of what the new one made are reported as ever.
    let pid = of_new.end();
    let exit = keeper.next_exit().unwrap();
    assert_eq!((exit.pid, exit.code()), (pid, Some(0)));
    let nurseries = [killed, keeper.pid().unwrap() as i32];
    drop((before, after, old, new, keeper));
    stage.assert_nothing_lives(&nurseries);
}

#[test]
fn what_a_dead_nursery_has_reported_is_heard_before_its_end() {
    let stage = Stage::new();
    let mut keeper = keeper();
    let mut template = stage.template(&mut keeper, None).unwrap();
    let ended = Clone::of(&mut template).end();
    // The nursery reaps before it makes.
    let another = stage.template(&mut keeper, None).unwrap();
    let killed = kill_nursery(&keeper);
    assert_eq!(keeper.next_exit().unwrap().pid, ended);
    for _ in 0..2 {
        assert!(matches!(keeper.next_exit(), Err(NurseryError::Ended)));
        assert_eq!(keeper.pid(), None);
    }
    drop((template, another, keeper));
    stage.assert_nothing_lives(&[killed]);
}

#[test]
fn who_waits_for_an_exit_hears_of_the_death() {
    let stage = Stage::new();
    let mut keeper = keeper();
    let pid = keeper.pid().unwrap() as i32;
    let waits = std::thread::spawn(move || {
        let next = keeper.next_exit();
        (next, keeper)
    });
    kill(pid);
    let (next, keeper) = waits.join().unwrap();
    assert!(matches!(next, Err(NurseryError::Ended)));
    drop(keeper);
    stage.assert_nothing_lives(&[pid]);
}

#[test]
fn nursery_that_ends_while_it_makes_a_template_is_followed_by_one_that_makes_it() {
    let stage = Stage::new();
    let was_here = stage.path("was-here");
    let was_here = was_here.display();
    let mut keeper = of_shell(&format!(
        "mkdir {was_here} 2>&- || exec {NURSERY}; {ENDS_WHEN_ASKED}"
    ))
    .unwrap();
    let mut template = stage.template(&mut keeper, None).unwrap();
    assert!(Clone::of(&mut template).answers(b'x'));
    assert_eq!(keeper.restarts(), 1);
    assert_eq!(keeper.last_end().unwrap().code(), Some(0));
    drop((template, keeper));
    stage.assert_nothing_lives(&[]);
}

#[test]
fn request_that_ends_two_nurseries_is_given_up() {
    let stage = Stage::new();
    let mut keeper = of_shell(ENDS_WHEN_ASKED).unwrap();
    for restarts in [1, 3] {
        let error = nursery_error(stage.template(&mut keeper, None));
        assert!(matches!(error, NurseryError::EndedAgain), "{error:?}");
        assert_eq!(keeper.restarts(), restarts);
    }
    // A nursery that was dead before the request is not counted against it.
    let mut keeper = of_shell(ENDS_WHEN_ASKED).unwrap();
    kill_nursery(&keeper);
    nursery_error(stage.template(&mut keeper, None));
    assert_eq!(keeper.restarts(), 2);
    drop(keeper);
    stage.assert_nothing_lives(&[]);
}

// As a maker does that is on its way when its nursery is killed.
#[test]
fn death_is_noticed_while_somebody_else_holds_the_socket() {
    let stage = Stage::new();
    let holder = "exec 3<&0; head -c 1 <&3 >/dev/null &";
    let mut keeper = of_shell(&format!("{ENDS_WHEN_ASKED}; {holder}")).unwrap();
    let error = nursery_error(stage.template(&mut keeper, None));
    assert!(matches!(error, NurseryError::EndedAgain), "{error:?}");
    drop(keeper);
    stage.assert_nothing_lives(&[]);
}

#[test]
fn program_that_cannot_be_started_is_named_and_tried_again() {
    let stage = Stage::new();
    let program = stage.path("nursery");
    std::fs::copy(NURSERY, &program).unwrap();
    let mut keeper = Keeper::start(&program, &[]).unwrap();
    kill_nursery(&keeper);
    std::fs::remove_file(&program).unwrap();
    for _ in 0..2 {
        let error = nursery_error(stage.template(&mut keeper, None));
        assert!(matches!(error, NurseryError::Restart(_)), "{error:?}");
        let cause = error.source().unwrap().to_string();
        assert!(cause.contains(program.to_str().unwrap()), "{cause}");
        assert_eq!((keeper.restarts(), keeper.pid()), (0, None));
    }
    std::fs::copy(NURSERY, &program).unwrap();
    let mut template = stage.template(&mut keeper, None).unwrap();
    assert!(Clone::of(&mut template).answers(b'x'));
    assert_eq!(keeper.restarts(), 1);
    drop((template, keeper));
    stage.assert_nothing_lives(&[]);
}

#[test]
fn program_that_is_no_nursery_is_named() {
    let stage = Stage::new();
    for (script, why) in [
        ("exit 3", "it ended before it was ready"),
        (r"printf '\004\002no' >&0", "no"),
        (
            r"printf '\001\001\001' >&0",
            "it does not speak as a nursery does",
        ),
    ] {
        let error = of_shell(script).unwrap_err();
        assert!(error.to_string().contains("/bin/sh"), "{error}");
        assert_eq!(error.source().unwrap().to_string(), why);
    }
    stage.assert_nothing_lives(&[]);
}

#[test]
fn refusal_and_death_of_a_template_are_no_death_of_the_nursery() {
    let mut stage = Stage::new();
    let mut keeper = keeper();
    let pid = keeper.pid();
    let mut template = stage.template(&mut keeper, None).unwrap();
    kill(template.pid());
    let forked = Clone::try_of(&mut template);
    assert!(matches!(forked, Err(ForkError::Ended)));
    stage.key = Key([8; 32]);
    let refused = stage.template(&mut keeper, None);
    assert!(
        matches!(refused, Err(TemplateError::Refused(_))),
        "{refused:?}"
    );
    assert_eq!((keeper.restarts(), keeper.pid()), (0, pid));
    drop((template, keeper));
    stage.assert_nothing_lives(&[]);
}
