//! Runs the rows of a table: in sandboxes, and as controls.

use std::collections::BTreeSet;
use std::sync::Arc;

use offshoot_sandbox::{CodeDirs, Exit, Launcher, SandboxSpec};
use tokio::sync::Semaphore;

use crate::common;
use crate::control::Control;
use crate::ground::{self, Ground};

/// One attack.
#[derive(Debug, Clone)]
pub struct Attack {
    /// The surface of the threat model, or the CVE.
    pub surface: &'static str,
    /// A file in `attacks/`.
    pub program: &'static str,
    /// Its function.
    pub name: String,
    /// What only a success can show.
    pub proof: Proof,
    pub control: Control,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// The secret of the host's.
    Host,
    /// The token in the tenant's own code, read in a way that must not work.
    Tenant,
    /// This word, which the program prints after it has seen the effect.
    Word(&'static str),
    /// Any answer that does not come from a check of rights.
    Past,
}

impl Attack {
    pub fn key(&self) -> String {
        format!("{}:{}", self.program, self.name)
    }

    fn proof(&self, ground: &Ground) -> String {
        let proof = match self.proof {
            Proof::Host => &ground.host_secret,
            Proof::Tenant => &ground.tenant_secret,
            Proof::Word(word) => word,
            Proof::Past => "",
        };
        format!("success {} {proof}", self.program_name())
            .trim_end()
            .to_owned()
    }

    fn program_name(&self) -> String {
        match self.control {
            Control::Mechanism(_) => format!("{}_mechanism", self.name),
            _ => self.name.clone(),
        }
    }
}

/// The spec of a sandbox in which an attack runs.
pub fn spec(id: &str, ground: &Ground, program: &str, arguments: &[&str]) -> SandboxSpec {
    let path = format!("/var/task/{program}");
    let mut argv = vec!["/usr/bin/python3", "-SEB", &path];
    argv.extend(arguments);
    SandboxSpec {
        env: ground.environment("/var/task", "/opt"),
        code: CodeDirs {
            task: Some(ground.path("code")),
            layers: vec![ground.path("layer")],
        },
        ..common::program(id, &argv)
    }
}

/// Runs all attacks with a launcher of their own.
pub async fn fight(name: &str, attacks: Vec<Attack>) {
    if let Some((_, launcher)) = common::launcher(name).await {
        fight_beside(launcher, attacks, "0").await.shutdown().await;
    }
}

/// Runs all attacks, some at a time, beside sandboxes whose processes have these PIDs, and reports every one that went
/// wrong.
pub async fn fight_beside(launcher: Launcher, attacks: Vec<Attack>, pids: &str) -> Launcher {
    let launcher = Arc::new(launcher);
    let pids: Arc<str> = pids.into();
    // What attacks must not change, and what controls do.
    let grounds = Arc::new((Ground::new(), Ground::new()));
    let before = grounds.0.open_files();
    let places = Arc::new(Semaphore::new(3));
    let mut running = tokio::task::JoinSet::new();
    for (number, attack) in attacks.into_iter().enumerate() {
        let (launcher, grounds) = (Arc::clone(&launcher), Arc::clone(&grounds));
        let (places, pids) = (Arc::clone(&places), Arc::clone(&pids));
        running.spawn(async move {
            let _place = places.acquire_owned().await.unwrap();
            let inside =
                attacked(&launcher, &grounds.0, &format!("a{number}"), &attack, &pids).await;
            inside
                .into_iter()
                .chain(controlled(&grounds, &attack).await)
                .collect::<Vec<_>>()
        });
    }
    let mut problems = Vec::new();
    while let Some(ended) = running.join_next().await {
        problems.extend(ended.unwrap());
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    assert_eq!(grounds.0.open_files(), before);
    Arc::try_unwrap(launcher).unwrap()
}

/// What is wrong with the attack's end in a sandbox.
async fn attacked(
    launcher: &Launcher,
    ground: &Ground,
    id: &str,
    attack: &Attack,
    pids: &str,
) -> Option<String> {
    let mut spec = spec(id, ground, attack.program, &[&attack.name]);
    spec.env.push(("HOSTILE_NEIGHBOURS".into(), pids.into()));
    let (exit, text) = common::run(launcher, spec).await;
    judge(attack, exit, &text, ground)
}

/// In a sandbox: one line, a refusal, and no secret in it.
pub fn judge(attack: &Attack, exit: Exit, text: &str, ground: &Ground) -> Option<String> {
    let expected = format!("refused {}: ", attack.name);
    let lines: Vec<&str> = text.lines().collect();
    let refused = exit == Exit::Exited(0) && lines.len() == 1 && text.starts_with(&expected);
    let leaked = text.contains(&ground.host_secret);
    let problem = format!(
        "{} {} in the sandbox: {exit:?} {text}",
        attack.surface,
        attack.key()
    );
    (!refused || leaked).then_some(problem)
}

/// What is wrong with the control.
async fn controlled(grounds: &Arc<(Ground, Ground)>, attack: &Attack) -> Option<String> {
    let (of_control, row) = (Arc::clone(grounds), attack.clone());
    let run = move || row.control.run(&of_control.1, row.program, &row.name);
    let text = tokio::task::spawn_blocking(run).await.unwrap();
    let line = text.trim_end();
    let problem = format!(
        "{} {} {:?}: {line}",
        attack.surface,
        attack.key(),
        attack.control
    );
    (!is_proven(attack, &grounds.1, line)).then_some(problem)
}

/// Whether a control's line shows the proof, or that this kernel does not have the thing at all.
pub fn is_proven(attack: &Attack, ground: &Ground, line: &str) -> bool {
    let expected = attack.proof(ground);
    let line = line.trim_end();
    let shown = match attack.proof {
        Proof::Past => line.starts_with(&expected),
        _ => line == expected,
    };
    shown || attack.control.accepts_absence(line)
}

/// `PROGRAM:NAME` of everything that the programs can do, controls of a mechanism left out.
pub fn listed_attacks(programs: &[&str]) -> Vec<String> {
    let mut found = BTreeSet::new();
    for program in programs {
        let output = std::process::Command::new("/usr/bin/python3")
            .arg("-SEB")
            .arg(ground::programs().join(program))
            .arg("--list")
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let names = text
            .split_whitespace()
            .filter(|name| !name.ends_with("_mechanism"));
        found.extend(names.map(|name| format!("{program}:{name}")));
    }
    found.into_iter().collect()
}
