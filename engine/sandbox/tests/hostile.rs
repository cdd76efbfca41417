//! The hostile tenant: programs that attack from inside a sandbox, and the proof that each attack works without the
//! defence.
//!
//! Every row of the table ([`table`]) runs twice: in a sandbox, where it must say `refused` and nothing else, and as its
//! control, where it must show the proof of its success. `docs/design/threats.md` maps surfaces to these tests.
#![allow(clippy::unwrap_used)]

#[path = "hostile/arena.rs"]
mod arena;
mod common;
#[path = "hostile/control.rs"]
mod control;
#[path = "hostile/exhaustion.rs"]
mod exhaustion;
#[path = "hostile/ground.rs"]
mod ground;
#[path = "hostile/inherited.rs"]
mod inherited;
#[path = "hostile/leaked.rs"]
mod leaked;
#[path = "hostile/neighbours.rs"]
mod neighbours;
#[path = "hostile/table.rs"]
mod table;
#[path = "hostile/table_kernel.rs"]
mod table_kernel;
#[path = "hostile/traces.rs"]
mod traces;

use arena::{fight, listed_attacks};

#[tokio::test(flavor = "multi_thread")]
async fn links_and_races_lead_nowhere() {
    fight("links", table::links()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn code_layers_and_system_cannot_be_changed() {
    fight("writes", table::writes()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn filter_has_no_way_around() {
    fight("abi", table::abi()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn namespaces_and_mounts_stay_as_they_are() {
    fight("ns", table::namespaces_and_mounts()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn other_processes_are_out_of_reach() {
    fight("procs", table::processes()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn privileged_calls_are_refused() {
    fight("kernel", table_kernel::kernel_and_system()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn devices_handles_and_set_user_id_give_nothing() {
    fight("files", table_kernel::files()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn proc_and_sys_tell_and_take_nothing() {
    fight("proc", table_kernel::proc()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sockets_stay_in_the_sandbox() {
    fight("sockets", table_kernel::sockets()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn engine_leaves_nothing_in_the_process() {
    fight("engine", table::leftovers()).await;
}

#[test]
fn every_attack_of_every_program_is_in_the_table() {
    let mut in_table: Vec<String> = table::all().iter().map(|attack| attack.key()).collect();
    let doubled = in_table.len();
    in_table.sort();
    in_table.dedup();
    assert_eq!(doubled, in_table.len(), "a row is there twice");
    assert_eq!(in_table, listed_attacks(&table::PROGRAMS));
}
