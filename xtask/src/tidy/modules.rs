//! Orphans: Rust files that no `mod` leads to, which the compiler never sees.

use std::collections::BTreeSet;

use super::Finding;
use super::tree::Tree;

/// Every Rust file is a target of its crate, or reached from one by `mod`, `#[path]` or
/// `include!`. Modules declared inside an inline `mod x { .. }` are not followed; we write none.
pub fn files_are_reachable(tree: &Tree) -> Vec<Finding> {
    let mut reached = BTreeSet::new();
    let mut pending: Vec<String> = tree
        .rust_files()
        .map(|(path, _)| path)
        .filter(|p| is_root(tree, p))
        .map(Into::into)
        .collect();
    while let Some(path) = pending.pop() {
        if let Some(text) = tree.text(&path).filter(|_| reached.insert(path.clone())) {
            pending.extend(children(tree, &path, text));
        }
    }
    tree.rust_files()
        .filter(|(path, _)| !reached.contains(*path))
        .map(|(path, _)| {
            Finding::new(
                path,
                1,
                "no `mod` leads to this file",
                "declare it or delete it",
            )
        })
        .collect()
}

/// Whether cargo compiles the file as a target.
fn is_root(tree: &Tree, path: &str) -> bool {
    // Programs of one file that no crate holds, and the stub, which a build script compiles.
    if path.starts_with("tests/fidelity/rust/") || path == "trusted/stub/stub/main.rs" {
        return true;
    }
    let Some(dir) = package_dir(tree, path) else {
        return false;
    };
    let inner = &path[dir.len()..];
    let segments: Vec<&str> = inner.split('/').collect();
    let is_target = matches!(
        segments.as_slice(),
        ["build.rs"]
            | ["src", "lib.rs" | "main.rs"]
            | ["src", "bin", _]
            | ["src", "bin", _, "main.rs"]
            | ["tests" | "benches" | "examples", _]
            | ["tests" | "benches" | "examples", _, "main.rs"]
    );
    let manifest = tree.text(&format!("{dir}Cargo.toml")).unwrap_or_default();
    is_target || manifest.contains(&format!("path = \"{inner}\""))
}

/// The nearest folder above with a manifest, with a slash at its end.
fn package_dir<'p>(tree: &Tree, path: &'p str) -> Option<&'p str> {
    path.rmatch_indices('/')
        .map(|(at, _)| &path[..=at])
        .find(|dir| tree.has(&format!("{dir}Cargo.toml")))
}

fn children(tree: &Tree, path: &str, text: &str) -> Vec<String> {
    let (dir, file) = path.rsplit_once('/').unwrap_or(("", path));
    let stem = file.trim_end_matches(".rs");
    let owns_dir = file == "mod.rs" || is_root(tree, path);
    let module_dir = if owns_dir {
        dir.to_owned()
    } else {
        format!("{dir}/{stem}")
    };
    let mut found = Vec::new();
    let mut path_attribute = None;
    for line in text.lines().map(str::trim) {
        if let Some(target) = quoted_after(line, "#[path = ") {
            path_attribute = Some(normal(&format!("{dir}/{target}")));
        } else if let Some(name) = module_name(line) {
            match path_attribute.take() {
                Some(target) => found.push(target),
                None => {
                    found.push(format!("{module_dir}/{name}.rs"));
                    found.push(format!("{module_dir}/{name}/mod.rs"));
                }
            }
        } else if let Some(target) = quoted_after(line, "include!(") {
            found.push(normal(&format!("{dir}/{target}")));
        }
    }
    found
}

/// The name in `mod name;`, whatever its visibility.
fn module_name(line: &str) -> Option<&str> {
    let line = match line.strip_prefix("pub") {
        Some(rest) if rest.starts_with('(') => rest.split_once(')')?.1.trim_start(),
        Some(rest) => rest.trim_start(),
        None => line,
    };
    let name = line.strip_prefix("mod ")?.split_once(';')?.0.trim();
    Some(name.strip_prefix("r#").unwrap_or(name))
}

fn quoted_after<'l>(line: &'l str, marker: &str) -> Option<&'l str> {
    let (_, rest) = line.split_once(marker)?;
    rest.strip_prefix('"')?.split('"').next()
}

/// Resolves `..` and `.` in a path of the tree.
fn normal(path: &str) -> String {
    let mut out: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "." | "" => {}
            ".." => drop(out.pop()),
            other => out.push(other),
        }
    }
    out.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn orphans(files: &[(&str, &str)]) -> Vec<String> {
        let mut all = vec![("a/b/Cargo.toml", "[package]\nname = \"b\"\n")];
        all.extend(files);
        files_are_reachable(&Tree::of(&all))
            .into_iter()
            .map(|finding| finding.path)
            .collect()
    }

    #[test]
    fn file_without_mod_is_an_orphan() {
        let files = [
            ("a/b/src/lib.rs", "mod used;\n"),
            ("a/b/src/used.rs", ""),
            ("a/b/src/lost.rs", ""),
        ];
        assert_eq!(orphans(&files), ["a/b/src/lost.rs"]);
    }

    #[test]
    fn commented_mod_leads_nowhere() {
        let files = [
            ("a/b/src/lib.rs", "// mod lost;\n"),
            ("a/b/src/lost.rs", ""),
        ];
        assert_eq!(orphans(&files), ["a/b/src/lost.rs"]);
    }

    #[test]
    fn children_of_an_orphan_are_orphans() {
        let files = [
            ("a/b/src/lib.rs", ""),
            ("a/b/src/lost.rs", "mod deep;\n"),
            ("a/b/src/lost/deep.rs", ""),
        ];
        assert_eq!(orphans(&files), ["a/b/src/lost.rs", "a/b/src/lost/deep.rs"]);
    }

    #[test]
    fn every_way_to_a_file_is_followed() {
        let lib = "pub mod x;\npub(crate) mod y;\n#[cfg(test)]\nmod tests;\n\
                   #[path = \"../odd/z.rs\"]\nmod z;\ninclude!(\"table.rs\");\n";
        let files = [
            ("a/b/src/lib.rs", lib),
            ("a/b/src/x.rs", "mod in_x;\n"),
            ("a/b/src/x/in_x.rs", ""),
            ("a/b/src/y/mod.rs", "mod in_y;\n"),
            ("a/b/src/y/in_y.rs", ""),
            ("a/b/src/tests.rs", ""),
            ("a/b/odd/z.rs", ""),
            ("a/b/src/table.rs", ""),
            ("a/b/build.rs", ""),
            ("a/b/src/bin/tool.rs", ""),
            ("a/b/tests/fact.rs", "mod common;\n"),
            ("a/b/tests/common/mod.rs", ""),
        ];
        assert_eq!(orphans(&files), [] as [&str; 0]);
    }

    #[test]
    fn file_outside_any_crate_is_an_orphan() {
        assert_eq!(orphans(&[("docs/x.rs", "")]), ["docs/x.rs"]);
    }
}
