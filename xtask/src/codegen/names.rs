//! From names and prose of the model to names and comments of Rust.

/// `KMSKeyArn` to `kms_key_arn`.
pub fn snake(name: &str) -> String {
    let chars: Vec<char> = name.chars().collect();
    let mut out = String::new();
    for (i, &c) in chars.iter().enumerate() {
        let previous = i.checked_sub(1).map(|p| chars[p]);
        let next_is_lower = chars.get(i + 1).is_some_and(char::is_ascii_lowercase);
        let starts_word = match previous {
            Some(p) => p != '_' && (!p.is_ascii_uppercase() || next_is_lower),
            None => false,
        };
        if c.is_ascii_uppercase() && starts_word {
            out.push('_');
        }
        out.push(if c.is_ascii_alphanumeric() {
            c.to_ascii_lowercase()
        } else {
            '_'
        });
    }
    if matches!(out.as_str(), "type" | "match" | "move" | "ref" | "use") {
        return format!("r#{out}");
    }
    out
}

/// `KMSKeyArn` to `KMS_KEY_ARN`.
pub fn screaming(name: &str) -> String {
    snake(name).trim_start_matches("r#").to_ascii_uppercase()
}

/// `FunctionName` to `functionName`, as AWS writes member paths in its messages.
pub fn lower_first(name: &str) -> String {
    let mut chars = name.chars();
    match chars.next() {
        Some(first) => first.to_ascii_lowercase().to_string() + chars.as_str(),
        None => String::new(),
    }
}

/// A wire value as an enum variant: `nodejs20.x` to `Nodejs20X`, `python3.9` to `Python3_9`,
/// `AWS_IAM` to `AwsIam`.
pub fn variant(value: &str) -> String {
    let mut out = String::new();
    for word in value
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|w| !w.is_empty())
    {
        let digits_meet = out.ends_with(|c: char| c.is_ascii_digit())
            && word.starts_with(|c: char| c.is_ascii_digit());
        if digits_meet {
            out.push('_');
        }
        let (first, rest) = word.split_at(1);
        out.push_str(&first.to_ascii_uppercase());
        if word.chars().all(|c| !c.is_ascii_lowercase()) {
            out.push_str(&rest.to_ascii_lowercase());
        } else {
            out.push_str(rest);
        }
    }
    out
}

/// The first sentence of the model's HTML prose as `///` lines, or `fallback`.
pub fn doc(prose: Option<&str>, fallback: &str) -> String {
    let sentence = prose.map(first_sentence).unwrap_or_default();
    let text = if sentence.is_empty() {
        fallback.to_owned()
    } else {
        sentence
    };
    let mut out = String::new();
    let mut line = String::from("///");
    for word in text.split_whitespace() {
        if line.len() + word.len() > 94 {
            out.push_str(&line);
            out.push('\n');
            line = String::from("///");
        }
        line.push(' ');
        line.push_str(word);
    }
    out + &line + "\n"
}

fn first_sentence(html: &str) -> String {
    let mut text = String::new();
    let mut in_tag = false;
    for c in html.chars() {
        match c {
            '<' => in_tag = true,
            '>' => in_tag = false,
            _ if in_tag => {}
            // Markdown would read these as links or emphasis.
            '[' | ']' | '*' | '_' | '`' | '#' | '|' => {
                text.push('\\');
                text.push(c);
            }
            c => text.push(c),
        }
    }
    let text = text
        .replace("&lt;", "\\<")
        .replace("&gt;", "\\>")
        .replace("&amp;", "&");
    let end = text.find(". ").map_or(text.len(), |at| at + 1);
    text[..end].trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_become_snake_case() {
        for (wire, rust) in [
            ("FunctionName", "function_name"),
            ("KMSKeyArn", "kms_key_arn"),
            ("S3Bucket", "s3_bucket"),
            ("CodeSha256", "code_sha256"),
            ("DirectS3Read", "direct_s3_read"),
            ("PrincipalOrgID", "principal_org_id"),
            ("X-Amz-Log-Type", "x_amz_log_type"),
            ("Type", "r#type"),
        ] {
            assert_eq!(snake(&wire.replace('-', "_")), rust);
        }
    }

    #[test]
    fn wire_values_become_variants() {
        for (wire, rust) in [
            ("nodejs20.x", "Nodejs20X"),
            ("python3.9", "Python3_9"),
            ("x86_64", "X86_64"),
            ("AWS_IAM", "AwsIam"),
            ("RequestResponse", "RequestResponse"),
            ("LATEST_PUBLISHED", "LatestPublished"),
            ("FunctionError.InitTimeout", "FunctionErrorInitTimeout"),
        ] {
            assert_eq!(variant(wire), rust);
        }
    }

    #[test]
    fn prose_is_cut_to_one_plain_sentence() {
        let html = "<p>The <code>$LATEST</code> version of [x]. More.</p>";
        assert_eq!(
            doc(Some(html), "f"),
            "/// The $LATEST version of \\[x\\].\n"
        );
        assert_eq!(doc(None, "Nothing said."), "/// Nothing said.\n");
    }
}
