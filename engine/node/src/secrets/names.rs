//! Which variables are secret, by their names.

/// Variables that decide how a process starts, before any code could read them: a seed is what they make it.
const OF_THE_START: [&str; 9] = [
    "AWS_LAMBDA_EXEC_WRAPPER",
    "HOME",
    "LANG",
    "LD_LIBRARY_PATH",
    "LD_PRELOAD",
    "NODE_OPTIONS",
    "NODE_PATH",
    "PATH",
    "TZ",
];

/// Patterns of names, in which `*` stands for any characters; letters of both cases are equal. A pattern behind `!` takes
/// names out again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Names {
    secret: Vec<String>,
    open: Vec<String>,
}

impl Names {
    pub(super) fn new(patterns: &[String]) -> Self {
        let mut names = Self::default();
        for pattern in patterns {
            match pattern.strip_prefix('!') {
                Some(open) => names.open.push(open.to_ascii_uppercase()),
                None => names.secret.push(pattern.to_ascii_uppercase()),
            }
        }
        names
    }

    pub(super) fn is_secret(&self, name: &str) -> bool {
        let upper = name.to_ascii_uppercase();
        let any = |patterns: &[String]| {
            let mut patterns = patterns.iter();
            patterns.any(|pattern| fits(pattern, &upper))
        };
        !OF_THE_START.contains(&name) && any(&self.secret) && !any(&self.open)
    }
}

/// Whether a name is as the pattern says.
fn fits(pattern: &str, name: &str) -> bool {
    let Some((beginning, rest)) = pattern.split_once('*') else {
        return pattern == name;
    };
    let Some(mut name) = name.strip_prefix(beginning) else {
        return false;
    };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let end = parts.pop().unwrap_or_default();
    for part in parts {
        // The first place is as good as any later one.
        match name.find(part) {
            Some(at) => name = &name[at + part.len()..],
            None => return false,
        }
    }
    name.ends_with(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn star_stands_for_any_characters() {
        for (pattern, name, does) in [
            ("*TOKEN*", "TOKEN", true),
            ("*TOKEN*", "A_TOKEN_B", true),
            ("*TOKEN*", "TOKE", false),
            ("A*B*C", "AxBxC", true),
            ("A*B*C", "ABC", true),
            ("A*B*C", "ABCD", false),
            ("A*B*C", "ACB", false),
            ("A*A", "A", false),
            ("*", "", true),
            ("API_KEY", "MY_API_KEY", false),
        ] {
            assert_eq!(fits(pattern, name), does, "{pattern} {name}");
        }
    }

    #[test]
    fn names_are_secret_unless_they_are_taken_out_or_decide_the_start() {
        let patterns = ["*secret*", "*", "!*_ARN"].map(str::to_owned);
        let names = Names::new(&patterns[..1]);
        assert!(names.is_secret("DB_SECRET") && names.is_secret("db_secret"));
        assert!(!names.is_secret("DB_HOST"));
        let names = Names::new(&patterns);
        assert!(names.is_secret("DB_HOST") && !names.is_secret("SECRET_ARN"));
        assert!(!names.is_secret("NODE_OPTIONS"));
    }
}
