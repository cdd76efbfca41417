//! What tenants write is text on the page, wherever it stands.
#![allow(clippy::unwrap_used)]

use offshoot_ui::view::{
    Decision, Function, Kind, Live, LivingClone, Memory, Pools, Sandboxes, Seed, Start,
};
use offshoot_ui::{CONTENT_SECURITY_POLICY, Chosen, live, page, seeds};

/// Ends an attribute in either quotes, and an element, and begins one.
const HOSTILE: &str = "\"'></script><img src=x onerror=hacked()>{{ 7 * 7 }}";

fn hostile() -> String {
    HOSTILE.to_owned()
}

fn kind() -> Kind {
    Kind {
        name: hostile(),
        count: 1_234,
        p50_us: 850,
        p99_us: 14_260,
        recorded: vec![(850, 1_200), (14_260, 34)],
    }
}

fn start() -> Start {
    Start {
        number: 7,
        at_ms: 1_764_203_099_000,
        kind: hostile(),
        version: hostile(),
        request_id: hostile(),
        failed: true,
        stages: vec![("queue", 10), ("handler", 30), ("response", 0)],
    }
}

fn seed(children: Vec<Seed>) -> Seed {
    let memory = Memory {
        proportional: 4_000_000,
        shared: 6_000_000,
        private: 2_000_000,
    };
    Seed {
        name: hostile(),
        version: Some(hostile()),
        state: hostile(),
        image: Some(hostile()),
        stored_bytes: Some(15_000_000),
        reason: Some(hostile()),
        template: Some(memory),
        clones: vec![LivingClone {
            instance: hostile(),
            memory,
        }],
        more_clones: 1,
        children,
    }
}

fn view() -> Live {
    Live {
        version: "0.1.0".to_owned(),
        functions: vec![Function {
            name: hostile(),
            kinds: vec![kind()],
        }],
        started: 3,
        waiting: vec![hostile()],
        starts: vec![start()],
        pools: Pools {
            sandboxes: Some(Sandboxes {
                recreations: vec![(hostile(), 1)],
                ..Sandboxes::default()
            }),
            ..Pools::default()
        },
        decisions: vec![Decision {
            number: 1,
            at_ms: 0,
            function: Some(hostile()),
            action: hostile(),
            why: hostile(),
        }],
    }
}

fn chosen() -> Chosen {
    Chosen {
        function: Some(hostile()),
        start: Some(7),
    }
}

/// Whether some of it got through as it is.
fn is_broken(html: &str) -> bool {
    ["<img src=x", "\"'>", "</script><"]
        .iter()
        .any(|part| html.contains(part))
}

#[test]
fn hostile_text_is_escaped_in_every_place() {
    let tree = [seed(vec![seed(Vec::new())])];
    let whole = page(&view(), &tree, &chosen()).unwrap();
    let part = live(&view(), &chosen()).unwrap();
    for html in [&whole, &part, &seeds(&tree).unwrap()] {
        assert!(!is_broken(html), "{html}");
        assert!(html.contains("onerror=hacked()"), "it is not shown: {html}");
    }
    // The control: the same page without escaping is found to be broken.
    let unescaped = whole.replace("&#60;", "<").replace("&#62;", ">");
    assert!(is_broken(&unescaped), "{unescaped}");
}

#[test]
fn page_has_nothing_that_its_policy_forbids() {
    let html = page(&view(), &[seed(Vec::new())], &Chosen::default()).unwrap();
    assert!(!CONTENT_SECURITY_POLICY.contains("unsafe"));
    for forbidden in [
        " style=",
        "<style",
        " onclick=",
        "javascript:",
        "hx-on",
        "http://",
        "https://",
    ] {
        assert!(!html.contains(forbidden), "{forbidden} in {html}");
    }
    let scripts = html.matches("<script").count();
    let served = html.matches("<script src=\"/ui/assets/").count();
    assert_eq!((scripts, served), (3, 3));
}

#[test]
fn stages_follow_each_other_and_fill_the_whole() {
    let html = live(&view(), &chosen()).unwrap();
    for place in [
        r#"x="0.00%" y="1" width="25.00%""#,
        r#"x="25.00%" y="1" width="75.00%""#,
    ] {
        assert!(html.contains(place), "{place} in {html}");
    }
    assert!(html.contains("40 µs"), "the total: {html}");
}

#[test]
fn start_that_is_not_kept_any_more_is_said_to_be_gone() {
    let gone = Chosen {
        start: Some(1),
        ..chosen()
    };
    let html = live(&view(), &gone).unwrap();
    assert!(html.contains("are not kept any more"), "{html}");
    let html = live(&Live::default(), &gone).unwrap();
    assert!(html.contains("has not been started"), "{html}");
}
