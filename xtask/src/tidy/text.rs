//! Rules about lines: who may write unsafe code, how long a file is, which words are absent.

use super::Finding;
use super::tree::Tree;

const MAX_LINES: usize = 500;

/// Words that do not belong in the tree, whole words only. Split, so that this file passes.
const WORDS: &[(&str, &str)] = &[
    (concat!("TO", "DO"), "do it, or describe it in an issue"),
    (concat!("FIX", "ME"), "fix it, or describe it in an issue"),
];

/// Paths of the machine that this is written on.
const PATHS: &[&str] = &[concat!("/wo", "rk/"), concat!("../sha", "red")];

/// Only `trusted/` opts in to unsafe code, and says why on the line above.
pub fn unsafe_opt_ins_are_argued(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree.rust_files() {
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        for (at, _) in lines.iter().enumerate().filter(|(_, line)| opts_in(line)) {
            if !path.starts_with("trusted/") {
                let fix = "move the unsafe part to a crate in trusted/";
                findings.push(Finding::new(
                    path,
                    at + 1,
                    "unsafe code outside trusted/",
                    fix,
                ));
            } else if !is_argued(&lines[..at]) {
                let fix = "write `// UNSAFETY: why this module needs it` above";
                findings.push(Finding::new(
                    path,
                    at + 1,
                    "unsafe code is not argued for",
                    fix,
                ));
            }
        }
    }
    findings
}

/// A file can be read at one sitting.
pub fn files_are_short(tree: &Tree) -> Vec<Finding> {
    tree.rust_files()
        .filter(|(path, _)| !path.contains("/generated/"))
        .map(|(path, text)| (path, text.lines().count()))
        .filter(|(_, lines)| *lines > MAX_LINES)
        .map(|(path, lines)| {
            let problem = format!("{lines} lines, above {MAX_LINES}");
            Finding::new(path, MAX_LINES + 1, problem, "split it by subject")
        })
        .collect()
}

/// No notes to self, and no paths of one machine.
pub fn words_are_absent(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree.files() {
        for (at, line) in text.lines().enumerate() {
            for (word, fix) in WORDS.iter().filter(|(word, _)| has_word(line, word)) {
                findings.push(Finding::new(path, at + 1, format!("`{word}`"), *fix));
            }
            for word in PATHS.iter().filter(|word| has_path(line, word)) {
                let fix = "name the thing, not where it lies on one machine";
                findings.push(Finding::new(path, at + 1, format!("`{word}`"), fix));
            }
        }
    }
    findings
}

fn opts_in(line: &str) -> bool {
    let is_attribute = line.starts_with("#[") || line.starts_with("#![");
    let lifts = ["allow(", "expect(", "warn("]
        .iter()
        .any(|lift| line.contains(lift));
    is_attribute && lifts && line.contains("unsafe_code")
}

/// Whether the comment that ends the lines above (past other attributes) has an UNSAFETY line.
fn is_argued(above: &[&str]) -> bool {
    above
        .iter()
        .rev()
        .take_while(|line| line.starts_with("//") || line.starts_with("#["))
        .any(|line| line.starts_with("// UNSAFETY:"))
}

fn has_word(line: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        !line[..at].ends_with(is_part) && !line[at + word.len()..].starts_with(is_part)
    })
}

/// Whether the path stands at the beginning of one: `{dir}` before it makes it another path.
fn has_path(line: &str, path: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || "_-.}/".contains(c);
    line.match_indices(path)
        .any(|(at, _)| !line[..at].ends_with(is_part))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opt_ins(path: &str, text: &str) -> Vec<Finding> {
        unsafe_opt_ins_are_argued(&Tree::of(&[(path, text)]))
    }

    #[test]
    fn unsafe_code_outside_trusted_is_found() {
        for attribute in [
            "#![expect(unsafe_code)]",
            "#[allow(dead_code, unsafe_code)]",
        ] {
            let text = format!("//! Doc.\n// UNSAFETY: x\n{attribute}\n");
            let found = opt_ins("engine/a/src/lib.rs", &text);
            assert_eq!(found.len(), 1, "{attribute}");
            assert_eq!(found[0].line, 3);
        }
    }

    #[test]
    fn unsafe_code_in_trusted_needs_its_line() {
        let path = "trusted/sys/src/a.rs";
        assert_eq!(
            opt_ins(path, "//! Doc.\n#![expect(unsafe_code)]\n").len(),
            1
        );
        assert_eq!(
            opt_ins(path, "// UNSAFETY: far\n\n#![expect(unsafe_code)]\n").len(),
            1
        );
        let argued =
            "//! Doc.\n\n// UNSAFETY: raw memory,\n// all of it.\n#![expect(unsafe_code)]\n";
        assert_eq!(opt_ins(path, argued), []);
    }

    #[test]
    fn long_file_is_found_unless_generated() {
        let long = "\n".repeat(MAX_LINES + 1);
        let tree = Tree::of(&[("a/src/b.rs", &long), ("a/src/generated/b.rs", &long)]);
        let found = files_are_short(&tree);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].path, "a/src/b.rs");
        assert_eq!(
            files_are_short(&Tree::of(&[("a.rs", &"\n".repeat(MAX_LINES))])),
            []
        );
    }

    #[test]
    fn each_word_is_found() {
        for (word, _) in WORDS {
            let text = format!("fine\n// {word}: later\n");
            let found = words_are_absent(&Tree::of(&[("a.md", &text)]));
            assert_eq!(found.len(), 1, "{word}");
            assert_eq!(found[0].line, 2);
        }
        for word in PATHS {
            let text = format!("see `{word}x`\n");
            assert_eq!(
                words_are_absent(&Tree::of(&[("a.py", &text)])).len(),
                1,
                "{word}"
            );
        }
    }

    #[test]
    fn longer_words_and_other_paths_are_fine() {
        let text = format!("{}S and {{dir}}{}\n", WORDS[0].0, PATHS[0]);
        assert_eq!(words_are_absent(&Tree::of(&[("a.rs", &text)])), []);
    }
}
