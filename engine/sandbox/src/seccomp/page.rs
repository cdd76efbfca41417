//! The published page: `docs/design/syscalls.md`, made from the table.

use std::fmt::Write;

use super::table::{ALLOWED, FIRST_UNKNOWN, REFUSED, RULES, UNFILTERED, reachable};

const HEAD: &str = "\
# System calls that a sandbox can reach

Made from `engine/sandbox/src/seccomp` by `cargo run -p offshoot-sandbox --example syscalls`; a test compares the two,
and another one compares them with what a program inside a sandbox gets for every number from 0 to 599 in all three
ABIs. This is x86-64's list; other architectures lack the old forms.
";

/// The page as it is written to the file.
pub fn page() -> String {
    let mut page = String::from(HEAD);
    write_summary(&mut page);
    for group in ALLOWED {
        section(
            &mut page,
            group.title,
            "| call | who needs it, or what it gives |\n|---|---|",
        );
        for call in group.calls {
            row(&mut page, &[bare(call.name), call.why]);
        }
    }
    write_rules(&mut page);
    write_unfiltered(&mut page);
    write_refusals(&mut page);
    page
}

fn write_summary(page: &mut String) {
    let len = reachable().len();
    let rules = RULES.len();
    let unfiltered = UNFILTERED.len();
    let plain = len - rules - unfiltered;
    paragraph(
        page,
        &format!(
            "**{len} calls** are reachable: {plain} whatever their arguments, {rules} for some, and {unfiltered} that \
             the kernel lets past every filter.\nCalls of i386 (`int 0x80`) are answered `ENOSYS`, those of x32 \
             `EPERM`, before any number is looked at. What is not\nlisted here is answered `EPERM`, and `ENOSYS` from \
             number {FIRST_UNKNOWN} on."
        ),
    );
}

fn write_rules(page: &mut String) {
    section(
        page,
        "By their arguments",
        "| call | carried out for | otherwise | why |\n|---|---|---|---|",
    );
    for rule in RULES {
        row(
            page,
            &[rule.name, rule.when, errno_name(rule.otherwise), rule.why],
        );
    }
}

fn write_unfiltered(page: &mut String) {
    let names: Vec<&str> = UNFILTERED.iter().map(|(_, name)| *name).collect();
    section(page, "Past every filter", "");
    paragraph(
        page,
        &format!(
            "`{}`: the kernel ends a caller that does not come from a probe of the host's root with a signal.",
            names.join("`, `")
        ),
    );
}

fn write_refusals(page: &mut String) {
    section(
        page,
        "Refused otherwise than with EPERM",
        "| answer | calls | why |\n|---|---|---|",
    );
    for refusal in REFUSED.iter().filter(|refusal| !refusal.calls.is_empty()) {
        let names: Vec<&str> = refusal.calls.iter().map(|(_, name)| bare(name)).collect();
        row(
            page,
            &[errno_name(refusal.errno), &names.join(", "), refusal.why],
        );
    }
}

fn section(page: &mut String, title: &str, table: &str) {
    paragraph(page, &format!("## {title}"));
    if !table.is_empty() {
        paragraph(page, table);
    }
}

fn paragraph(page: &mut String, text: &str) {
    // Writing to a string cannot fail.
    let _ = write!(page, "\n{text}\n");
}

fn row(page: &mut String, cells: &[&str]) {
    let _ = writeln!(page, "| {} |", cells.join(" | "));
}

fn bare(name: &'static str) -> &'static str {
    name.strip_prefix("SYS_").unwrap_or(name)
}

fn errno_name(errno: i32) -> &'static str {
    match errno {
        0 => "done, without doing it",
        libc::EPERM => "EPERM",
        libc::ENOSYS => "ENOSYS",
        libc::EINVAL => "EINVAL",
        libc::EAFNOSUPPORT => "EAFNOSUPPORT",
        libc::EOPNOTSUPP => "EOPNOTSUPP",
        _ => "another errno",
    }
}

#[cfg(test)]
#[cfg(target_arch = "x86_64")]
mod tests {
    use super::*;

    #[test]
    fn published_page_is_what_the_table_says() {
        let published = include_str!("../../../../docs/design/syscalls.md");
        assert!(
            page() == published,
            "run: cargo run -p offshoot-sandbox --example syscalls > docs/design/syscalls.md"
        );
    }
}
