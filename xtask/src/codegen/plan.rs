//! What to generate: the operations that offshoot serves and the shapes they reach.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context;

use super::model::{Model, Operation, Shape};

/// Served operations by the file that their own shapes go to. A shape that two groups use goes
/// to `common`.
const GROUPS: &[(&str, &[&str])] = &[
    (
        "function",
        &[
            "CreateFunction",
            "UpdateFunctionCode",
            "UpdateFunctionConfiguration",
            "GetFunction",
            "GetFunctionConfiguration",
            "ListFunctions",
            "DeleteFunction",
            "PublishVersion",
            "ListVersionsByFunction",
        ],
    ),
    (
        "account",
        &["GetAccountSettings", "GetFunctionCodeSigningConfig"],
    ),
    (
        "alias",
        &[
            "CreateAlias",
            "GetAlias",
            "UpdateAlias",
            "DeleteAlias",
            "ListAliases",
        ],
    ),
    (
        "concurrency",
        &[
            "PutFunctionConcurrency",
            "GetFunctionConcurrency",
            "DeleteFunctionConcurrency",
        ],
    ),
    ("tag", &["TagResource", "UntagResource", "ListTags"]),
    (
        "url",
        &[
            "CreateFunctionUrlConfig",
            "GetFunctionUrlConfig",
            "UpdateFunctionUrlConfig",
            "DeleteFunctionUrlConfig",
            "ListFunctionUrlConfigs",
        ],
    ),
    (
        "invoke",
        &["Invoke", "InvokeWithResponseStream", "InvokeAsync"],
    ),
    (
        "event_invoke",
        &[
            "PutFunctionEventInvokeConfig",
            "GetFunctionEventInvokeConfig",
            "UpdateFunctionEventInvokeConfig",
            "DeleteFunctionEventInvokeConfig",
            "ListFunctionEventInvokeConfigs",
        ],
    ),
    (
        "layer",
        &[
            "PublishLayerVersion",
            "GetLayerVersion",
            "GetLayerVersionByArn",
            "ListLayers",
            "ListLayerVersions",
            "DeleteLayerVersion",
        ],
    ),
    (
        "policy",
        &["AddPermission", "RemovePermission", "GetPolicy"],
    ),
];

/// The selected part of a model.
#[derive(Debug)]
pub struct Plan<'m> {
    /// Operations in the order of [`GROUPS`].
    pub operations: Vec<(&'m str, &'m Operation)>,
    /// Structures to write, with the group that names their file.
    pub structures: BTreeMap<&'m str, String>,
    /// Shapes that a caller can send, which therefore get validated.
    pub inbound: BTreeSet<&'m str>,
    /// Enums to write.
    pub enums: BTreeSet<&'m str>,
    /// Exceptions that a selected operation may answer.
    pub errors: BTreeSet<&'m str>,
    model: &'m Model,
}

impl<'m> Plan<'m> {
    /// Selects from `model`; fails if it lacks an operation that offshoot serves.
    pub fn of(model: &'m Model) -> anyhow::Result<Self> {
        let mut plan = Self {
            operations: Vec::new(),
            structures: BTreeMap::new(),
            inbound: BTreeSet::new(),
            enums: BTreeSet::new(),
            errors: BTreeSet::new(),
            model,
        };
        for (group, names) in GROUPS {
            let mut reached = BTreeSet::new();
            for name in *names {
                plan.select(name, &mut reached)?;
            }
            for shape in reached {
                plan.place(shape, group);
            }
        }
        Ok(plan)
    }

    /// The shape called `name`. Every name in a plan came from the model's own references.
    pub fn shape(&self, name: &str) -> anyhow::Result<&'m Shape> {
        self.model
            .shapes
            .get(name)
            .with_context(|| format!("the model has no shape {name}"))
    }

    fn select(&mut self, name: &str, reached: &mut BTreeSet<&'m str>) -> anyhow::Result<()> {
        let (name, operation) = self
            .model
            .operations
            .get_key_value(name)
            .with_context(|| format!("the model has no operation {name}"))?;
        self.operations.push((name, operation));
        for error in &operation.errors {
            self.errors.insert(&error.shape);
            for (_, member) in &self.shape(&error.shape)?.members.0 {
                if !self.shape(&member.shape)?.values.is_empty() {
                    self.enums.insert(&member.shape);
                }
            }
        }
        if let Some(input) = &operation.input {
            let mut inbound = BTreeSet::new();
            self.reach(&input.shape, &mut inbound)?;
            reached.extend(&inbound);
            self.inbound.extend(inbound);
        }
        if let Some(output) = &operation.output {
            self.reach(&output.shape, reached)?;
        }
        Ok(())
    }

    fn reach(&self, name: &'m str, into: &mut BTreeSet<&'m str>) -> anyhow::Result<()> {
        if !into.insert(name) {
            return Ok(());
        }
        let shape = self.shape(name)?;
        for (_, member) in &shape.members.0 {
            self.reach(&member.shape, into)?;
        }
        for inner in [&shape.member, &shape.key, &shape.value]
            .into_iter()
            .flatten()
        {
            self.reach(&inner.shape, into)?;
        }
        Ok(())
    }

    fn place(&mut self, name: &'m str, group: &str) {
        let Some(shape) = self.model.shapes.get(name) else {
            return;
        };
        if !shape.values.is_empty() {
            self.enums.insert(name);
        }
        // Events of a stream are frames, not JSON: `eventstream.rs` writes them by hand.
        let streamed = shape.eventstream || shape.members.0.iter().any(|(_, m)| m.eventpayload);
        if shape.kind == "structure" && !streamed {
            self.structures
                .entry(name)
                .and_modify(|g| {
                    if g != group {
                        "common".clone_into(g);
                    }
                })
                .or_insert_with(|| group.to_owned());
        }
    }
}
