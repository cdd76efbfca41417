//! Random operations against a model that knows nothing of documents, with restarts in between.
#![allow(clippy::unwrap_used)]

mod common;

use std::collections::BTreeMap;

use common::{Home, code, function, new_code};
use offshoot_catalog::{AliasPatch, Catalog, NewAlias, Publish, SettingsPatch};
use proptest::prelude::*;

#[derive(Debug, Clone)]
enum Op {
    Create(u8, bool),
    Code(u8, u8, bool),
    Timeout(u8, u32),
    Publish(u8),
    DeleteVersion(u8, u64),
    Delete(u8),
    Alias(u8, u8, u64),
    Repoint(u8, u8, u64),
    DropAlias(u8, u8),
    Reserve(u8, u32),
    Unreserve(u8),
    Tag(u8, u8),
    Untag(u8, u8),
    Reopen,
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let (f, a, v) = (0..3u8, 0..2u8, 1..4u64);
    let op = prop_oneof![
        3 => (f.clone(), any::<bool>()).prop_map(|(f, p)| Op::Create(f, p)),
        3 => (f.clone(), 0..3u8, any::<bool>()).prop_map(|(f, c, p)| Op::Code(f, c, p)),
        2 => (f.clone(), 0..3u32).prop_map(|(f, t)| Op::Timeout(f, t * 450)),
        3 => f.clone().prop_map(Op::Publish),
        1 => (f.clone(), v.clone()).prop_map(|(f, v)| Op::DeleteVersion(f, v)),
        1 => f.clone().prop_map(Op::Delete),
        3 => (f.clone(), a.clone(), v.clone()).prop_map(|(f, a, v)| Op::Alias(f, a, v)),
        1 => (f.clone(), a.clone(), v).prop_map(|(f, a, v)| Op::Repoint(f, a, v)),
        1 => (f.clone(), a.clone()).prop_map(|(f, a)| Op::DropAlias(f, a)),
        2 => (f.clone(), 0..700u32).prop_map(|(f, n)| Op::Reserve(f, n)),
        1 => f.clone().prop_map(Op::Unreserve),
        1 => (f.clone(), a.clone()).prop_map(|(f, k)| Op::Tag(f, k)),
        1 => (f, a).prop_map(|(f, k)| Op::Untag(f, k)),
        1 => Just(Op::Reopen),
    ];
    prop::collection::vec(op, 1..40)
}

/// Code and timeout: what a version is, as far as the model cares.
type Content = (u8, u32);

#[derive(Debug, Clone, Default)]
struct ModelFunction {
    latest: Content,
    versions: BTreeMap<u64, Content>,
    published: u64,
    aliases: BTreeMap<u8, u64>,
    reserved: Option<u32>,
    tags: BTreeMap<u8, ()>,
}

impl ModelFunction {
    fn publish(&mut self) {
        if self.versions.get(&self.published) != Some(&self.latest) {
            self.published += 1;
            self.versions.insert(self.published, self.latest);
        }
    }
}

type Model = BTreeMap<u8, ModelFunction>;

/// Whether the model accepts `op`; if so it has happened.
fn model_does(model: &mut Model, op: &Op) -> bool {
    match *op {
        Op::Create(f, publish) => {
            if model.contains_key(&f) {
                return false;
            }
            let mut new = ModelFunction {
                latest: (0, 3),
                ..Default::default()
            };
            if publish {
                new.publish();
            }
            model.insert(f, new);
            true
        }
        Op::Delete(f) => model.remove(&f).is_some(),
        Op::Reserve(f, n) => {
            let others = model.iter().filter(|(name, _)| **name != f);
            let others: u32 = others.filter_map(|(_, function)| function.reserved).sum();
            model
                .get_mut(&f)
                .filter(|_| others + n <= 900)
                .map(|m| m.reserved = Some(n))
                .is_some()
        }
        Op::Reopen => true,
        Op::Code(f, ..)
        | Op::Timeout(f, _)
        | Op::Publish(f)
        | Op::DeleteVersion(f, _)
        | Op::Alias(f, ..)
        | Op::Repoint(f, ..)
        | Op::DropAlias(f, _)
        | Op::Unreserve(f)
        | Op::Tag(f, _)
        | Op::Untag(f, _) => model.get_mut(&f).is_some_and(|m| function_does(m, op)),
    }
}

fn function_does(m: &mut ModelFunction, op: &Op) -> bool {
    match *op {
        Op::Code(_, content, publish) => {
            m.latest.0 = content;
            if publish {
                m.publish();
            }
        }
        Op::Timeout(_, 0) => return false,
        Op::Timeout(_, timeout_s) => m.latest.1 = timeout_s,
        Op::Publish(_) => m.publish(),
        Op::DeleteVersion(_, v) if m.aliases.values().any(|target| *target == v) => return false,
        Op::DeleteVersion(_, v) => _ = m.versions.remove(&v),
        Op::Alias(_, a, v) => {
            if m.aliases.contains_key(&a) || !m.versions.contains_key(&v) {
                return false;
            }
            m.aliases.insert(a, v);
        }
        Op::Repoint(_, a, v) => {
            if !m.aliases.contains_key(&a) || !m.versions.contains_key(&v) {
                return false;
            }
            m.aliases.insert(a, v);
        }
        Op::DropAlias(_, a) => _ = m.aliases.remove(&a),
        Op::Unreserve(_) => m.reserved = None,
        Op::Tag(_, k) => _ = m.tags.insert(k, ()),
        Op::Untag(_, k) => _ = m.tags.remove(&k),
        _ => unreachable!("not an operation on one function"),
    }
    true
}

fn name(f: u8) -> String {
    format!("f{f}")
}

fn alias(a: u8) -> String {
    format!("a{a}")
}

async fn catalog_does(home: &mut Home, op: &Op) -> bool {
    let c = home.catalog.clone();
    match *op {
        Op::Create(f, publish) => {
            let mut new = function(&name(f));
            (new.code, new.publish) = (code("0"), publish);
            c.create_function(new).await.is_ok()
        }
        Op::Code(f, content, publish) => {
            let mut update = new_code(&content.to_string());
            update.publish = publish;
            c.update_code(&name(f), update).await.is_ok()
        }
        Op::Timeout(f, timeout_s) => {
            let patch = SettingsPatch {
                timeout_s: Some(timeout_s),
                ..Default::default()
            };
            c.update_configuration(&name(f), patch, None).await.is_ok()
        }
        Op::Publish(f) => c
            .publish_version(&name(f), Publish::default())
            .await
            .is_ok(),
        Op::DeleteVersion(f, v) => c
            .delete_function(&name(f), Some(&v.to_string()))
            .await
            .is_ok(),
        Op::Delete(f) => c.delete_function(&name(f), None).await.is_ok(),
        Op::Alias(f, a, v) => {
            let (description, weights) = Default::default();
            let new = NewAlias {
                name: alias(a),
                version: v.to_string(),
                description,
                weights,
            };
            c.create_alias(&name(f), new).await.is_ok()
        }
        Op::Repoint(f, a, v) => {
            let patch = AliasPatch {
                version: Some(v.to_string()),
                ..Default::default()
            };
            c.update_alias(&name(f), &alias(a), patch).await.is_ok()
        }
        Op::DropAlias(f, a) => c.delete_alias(&name(f), &alias(a)).await.is_ok(),
        Op::Reserve(f, n) => c.put_reserved_concurrency(&name(f), n).await.is_ok(),
        Op::Unreserve(f) => c.delete_reserved_concurrency(&name(f)).await.is_ok(),
        Op::Tag(f, k) => {
            let tags = BTreeMap::from([(k.to_string(), String::new())]);
            c.tag(&name(f), tags).await.is_ok()
        }
        Op::Untag(f, k) => c.untag(&name(f), &[k.to_string()]).await.is_ok(),
        Op::Reopen => {
            home.reopen().await;
            true
        }
    }
}

fn content(catalog: &Catalog, f: u8, qualifier: Option<&str>) -> Option<(String, u32)> {
    let version = catalog.resolve(&name(f), qualifier, 0.5).ok()?.version;
    Some((version.code.digest.to_string(), version.settings.timeout_s))
}

fn compare(catalog: &Catalog, model: &Model) {
    let expected = |content: &Content| (code(&content.0.to_string()).digest.to_string(), content.1);
    for f in 0..3 {
        let m = model.get(&f);
        assert_eq!(content(catalog, f, None), m.map(|m| expected(&m.latest)));
        for v in 1..5 {
            let want = m.and_then(|m| m.versions.get(&v)).map(expected);
            assert_eq!(
                content(catalog, f, Some(&v.to_string())),
                want,
                "version {v}"
            );
        }
        for a in 0..2 {
            let want = m
                .and_then(|m| m.versions.get(m.aliases.get(&a)?))
                .map(expected);
            assert_eq!(content(catalog, f, Some(&alias(a))), want, "alias {a}");
        }
        let Some(m) = m else { continue };
        let function = catalog.function(&name(f)).unwrap();
        assert_eq!(function.reserved_concurrency, m.reserved);
        assert!(
            function
                .tags
                .keys()
                .cloned()
                .eq(m.tags.keys().map(u8::to_string))
        );
        assert_eq!(function.next_version, m.published + 1);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..Default::default() })]

    #[test]
    fn catalog_does_what_the_model_does(ops in ops()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (mut home, mut model) = (Home::new().await, Model::new());
            for op in &ops {
                let (does, should) = (catalog_does(&mut home, op).await, model_does(&mut model, op));
                assert_eq!(does, should, "{op:?}");
                compare(&home.catalog, &model);
            }
            home.reopen().await;
            compare(&home.catalog, &model);
        });
    }
}
