//! Transactions of nftables, as the `nft` program reads them (libnftables-json(5)).
//!
//! The objects are those of the crate `nftables`. The program is executed here and not by that
//! crate, because it shall not inherit the daemon's environment, in which secrets may be.

use std::borrow::Cow;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use nftables::expr::{Expression, NamedExpression, Verdict};
use nftables::schema::{Chain, Element, Map, NfCmd, NfListObject, NfObject, Rule, Set, Table};
use nftables::stmt::Statement;
use nftables::types::{NfChainType, NfFamily, NfHook};
use serde_json::{Value, json};

use crate::error::NetworkError;

/// How much of what the program says is kept.
const MAX_MESSAGE_CHARS: usize = 1000;

/// Changes of one table that are made together or not at all.
#[derive(Debug, Clone)]
pub(super) struct Transaction {
    table: String,
    objects: Vec<Value>,
}

impl Transaction {
    pub(super) fn on(table: &str) -> Self {
        Self {
            table: table.to_owned(),
            objects: Vec::new(),
        }
    }

    /// Adds the changes of another transaction of the same table.
    pub(super) fn append(&mut self, other: Self) {
        self.objects.extend(other.objects);
    }

    pub(super) fn add_table(&mut self) {
        let table = self.table_object();
        self.add(NfListObject::Table(table));
    }

    pub(super) fn delete_table(&mut self) {
        let table = self.table_object();
        self.delete(NfListObject::Table(table));
    }

    pub(super) fn add_chain(&mut self, name: &str) {
        let chain = self.chain_object(name);
        self.add(NfListObject::Chain(chain));
    }

    /// A chain that the kernel enters by itself, at `priority`.
    pub(super) fn add_base_chain(&mut self, kind: NfChainType, hook: NfHook, priority: i32) {
        let name = match hook {
            NfHook::Input => "input",
            NfHook::Forward => "forward",
            _ => "postrouting",
        };
        let chain = Chain {
            _type: Some(kind),
            hook: Some(hook),
            prio: Some(priority),
            ..self.chain_object(name)
        };
        self.add(NfListObject::Chain(chain));
    }

    /// Removes a chain with its rules; nothing may lead to it.
    pub(super) fn delete_chain(&mut self, name: &str) {
        let chain = self.chain_object(name);
        self.delete(NfListObject::Chain(chain));
    }

    pub(super) fn add_rule(&mut self, chain: &str, statements: Vec<Statement<'static>>) {
        let rule = Rule {
            family: NfFamily::INet,
            table: Cow::Owned(self.table.clone()),
            chain: Cow::Owned(chain.to_owned()),
            expr: Cow::Owned(statements),
            ..Rule::default()
        };
        self.add(NfListObject::Rule(rule));
    }

    pub(super) fn add_set(&mut self, set: Set<'static>) {
        let set = Set {
            family: NfFamily::INet,
            table: Cow::Owned(self.table.clone()),
            ..set
        };
        self.add(NfListObject::Set(Box::new(set)));
    }

    pub(super) fn delete_set(&mut self, name: &str) {
        let set = Set {
            family: NfFamily::INet,
            table: Cow::Owned(self.table.clone()),
            name: Cow::Owned(name.to_owned()),
            ..Set::default()
        };
        self.delete(NfListObject::Set(Box::new(set)));
    }

    /// A map from interfaces to chains.
    pub(super) fn add_chain_of_interface(&mut self, name: &str) {
        let map = Map {
            family: NfFamily::INet,
            table: Cow::Owned(self.table.clone()),
            name: Cow::Owned(name.to_owned()),
            set_type: nftables::schema::SetTypeValue::Single(nftables::schema::SetType::Ifname),
            ..Map::default()
        };
        let mut object = encode(NfCmd::Add(NfListObject::Map(Box::new(map))));
        // The crate knows no such type of a map's values.
        object["add"]["map"]["map"] = json!("verdict");
        self.objects.push(object);
    }

    pub(super) fn lead(&mut self, map: &str, interface: &str, chain: &str) {
        let target = Cow::Owned(chain.to_owned());
        let goto = Verdict::Goto(nftables::stmt::JumpTarget { target });
        let pair = Expression::List(vec![string(interface), Expression::Verdict(goto)]);
        self.add_element(map, pair);
    }

    pub(super) fn add_element(&mut self, set: &str, element: Expression<'static>) {
        let element = self.element_object(set, element);
        self.add(NfListObject::Element(element));
    }

    pub(super) fn delete_element(&mut self, set: &str, element: Expression<'static>) {
        let element = self.element_object(set, element);
        self.delete(NfListObject::Element(element));
    }

    fn table_object(&self) -> Table<'static> {
        Table {
            family: NfFamily::INet,
            name: Cow::Owned(self.table.clone()),
            handle: None,
        }
    }

    fn chain_object(&self, name: &str) -> Chain<'static> {
        Chain {
            family: NfFamily::INet,
            table: Cow::Owned(self.table.clone()),
            name: Cow::Owned(name.to_owned()),
            ..Chain::default()
        }
    }

    fn element_object(&self, set: &str, element: Expression<'static>) -> Element<'static> {
        Element {
            family: NfFamily::INet,
            table: Cow::Owned(self.table.clone()),
            name: Cow::Owned(set.to_owned()),
            elem: Cow::Owned(vec![element]),
        }
    }

    fn add(&mut self, object: NfListObject<'static>) {
        self.objects.push(encode(NfCmd::Add(object)));
    }

    fn delete(&mut self, object: NfListObject<'static>) {
        self.objects.push(encode(NfCmd::Delete(object)));
    }

    pub(super) fn text(&self) -> String {
        json!({ "nftables": self.objects }).to_string()
    }
}

fn encode(command: NfCmd<'static>) -> Value {
    // These types hold text, numbers and lists only, which JSON can always carry.
    serde_json::to_value(NfObject::CmdObject(command)).unwrap_or_default()
}

pub(super) fn string(text: &str) -> Expression<'static> {
    Expression::String(Cow::Owned(text.to_owned()))
}

pub(super) fn pair(first: &str, second: &str) -> Expression<'static> {
    Expression::Named(NamedExpression::Concat(vec![string(first), string(second)]))
}

/// The `nft` program.
#[derive(Debug, Clone)]
pub(super) struct Nft {
    program: PathBuf,
}

impl Nft {
    pub(super) fn new(program: &Path) -> Self {
        Self {
            program: program.to_owned(),
        }
    }

    /// Carries a transaction out. Blocks for some milliseconds.
    pub(super) fn run(&self, transaction: &Transaction) -> Result<(), NetworkError> {
        self.execute(&["-j", "-f", "-"], &transaction.text())
            .map(drop)
    }

    /// Whether there is such a table.
    pub(super) fn has_table(&self, table: &str) -> Result<bool, NetworkError> {
        let output = self.execute(&["-j", "list", "tables"], "")?;
        let listed: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        let objects = listed["nftables"].as_array();
        let is_it = |object: &Value| object["table"]["name"] == table;
        Ok(objects.is_some_and(|objects| objects.iter().any(is_it)))
    }

    fn execute(&self, arguments: &[&str], input: &str) -> Result<Output, NetworkError> {
        let refused = |error: std::io::Error| match error.kind() {
            std::io::ErrorKind::NotFound => NetworkError::NftMissing,
            _ => NetworkError::Rules {
                message: error.to_string(),
            },
        };
        let mut child = Command::new(&self.program)
            .args(arguments)
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(refused)?;
        let written = match child.stdin.take() {
            Some(mut stdin) => stdin.write_all(input.as_bytes()),
            None => Ok(()),
        };
        // Reaped before anything else can fail. A child that ended without reading everything says more by its
        // status and its words than by the broken pipe.
        let output = child.wait_with_output().map_err(refused)?;
        match written {
            Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
                return Err(refused(error));
            }
            _ => {}
        }
        if output.status.success() {
            return Ok(output);
        }
        let message = String::from_utf8_lossy(&output.stderr)
            .chars()
            .take(MAX_MESSAGE_CHARS)
            .collect();
        Err(NetworkError::Rules { message })
    }
}
