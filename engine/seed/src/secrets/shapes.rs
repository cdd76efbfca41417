//! How keys of well-known kinds look: a beginning that hardly anything else has, and a check of what follows.

use std::fmt;

/// The longest piece of memory behind a beginning that a check looks at, in bytes.
pub(super) const LOOKED_AT_BYTES: usize = 512;
/// An access key's identifier: four letters and so many more characters (IAM User Guide, "IAM identifiers").
const ACCESS_KEY_CHARS: usize = 16;
/// A header is followed by so much of a key at least; where libraries name it, it is not.
const KEY_CHARS: usize = 40;

/// A kind of key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Shape {
    /// The identifier of an AWS access key, permanent (`AKIA`) or temporary (`ASIA`).
    AwsAccessKeyId,
    /// A private key in PEM (RFC 7468).
    PrivateKey,
    /// A token of GitHub.
    GitHubToken,
    /// A token of Slack.
    SlackToken,
    /// A live key of Stripe, secret or restricted.
    StripeKey,
    /// A key of a Google API.
    GoogleApiKey,
    /// A signed JSON web token (RFC 7519).
    JsonWebToken,
}

/// Beginnings, and the shape that each may be the beginning of. None is the beginning of another one.
pub(super) const BEGINNINGS: [(&str, Shape); 20] = [
    ("AKIA", Shape::AwsAccessKeyId),
    ("ASIA", Shape::AwsAccessKeyId),
    ("-----BEGIN PRIVATE KEY-----", Shape::PrivateKey),
    ("-----BEGIN RSA PRIVATE KEY-----", Shape::PrivateKey),
    ("-----BEGIN EC PRIVATE KEY-----", Shape::PrivateKey),
    ("-----BEGIN DSA PRIVATE KEY-----", Shape::PrivateKey),
    ("-----BEGIN OPENSSH PRIVATE KEY-----", Shape::PrivateKey),
    ("-----BEGIN ENCRYPTED PRIVATE KEY-----", Shape::PrivateKey),
    ("ghp_", Shape::GitHubToken),
    ("gho_", Shape::GitHubToken),
    ("ghs_", Shape::GitHubToken),
    ("github_pat_", Shape::GitHubToken),
    ("xoxb-", Shape::SlackToken),
    ("xoxp-", Shape::SlackToken),
    ("xoxa-", Shape::SlackToken),
    ("xoxs-", Shape::SlackToken),
    ("sk_live_", Shape::StripeKey),
    ("rk_live_", Shape::StripeKey),
    ("AIza", Shape::GoogleApiKey),
    // `{"alg":` in base64url.
    ("eyJhbGciOi", Shape::JsonWebToken),
];

impl Shape {
    /// Whether it is one: what stands before its beginning, and what behind.
    pub(super) fn fits(self, before: Option<u8>, behind: &[u8]) -> bool {
        if before.is_some_and(|byte| byte.is_ascii_alphanumeric()) {
            return false;
        }
        let word = |byte: u8| byte.is_ascii_alphanumeric();
        let wordy = |byte: u8| word(byte) || byte == b'_';
        let dashed = |byte: u8| word(byte) || byte == b'-';
        let base64url = |byte: u8| wordy(byte) || byte == b'-';
        match self {
            Self::AwsAccessKeyId => is_access_key_id(behind),
            Self::PrivateKey => is_private_key(behind),
            // `github_pat_` is followed by 82 characters with a `_` in them, the others by 36 (GitHub Docs, "About
            // authentication to GitHub").
            Self::GitHubToken => run(behind, wordy) >= 36,
            Self::SlackToken => {
                let chars = run(behind, dashed);
                chars >= 20 && behind.iter().take(chars).any(u8::is_ascii_digit)
            }
            Self::StripeKey => run(behind, word) >= 24,
            Self::GoogleApiKey => run(behind, base64url) == 35,
            Self::JsonWebToken => is_signed_token(behind, base64url),
        }
    }
}

/// The documentation's own keys end in `EXAMPLE`.
fn is_access_key_id(behind: &[u8]) -> bool {
    let upper = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit();
    let stands_alone = |byte: &u8| !byte.is_ascii_alphanumeric();
    run(behind, upper) == ACCESS_KEY_CHARS
        && behind.get(ACCESS_KEY_CHARS).is_none_or(stands_alone)
        && !behind[..ACCESS_KEY_CHARS].ends_with(b"EXAMPLE")
}

/// A line feed, or one that is written as in JSON or in a program, and then base64.
fn is_private_key(behind: &[u8]) -> bool {
    let ends: [&[u8]; 4] = [b"\r\n", b"\n", b"\\r\\n", b"\\n"];
    let body = ends.iter().find_map(|end| behind.strip_prefix(*end));
    let base64 = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    body.is_some_and(|body| run(body, base64) >= KEY_CHARS)
}

/// The rest of a header, a body that is an object too, and a signature.
fn is_signed_token(behind: &[u8], part: impl Fn(u8) -> bool + Copy) -> bool {
    let header = run(behind, part);
    let body = behind[header..].strip_prefix(b".eyJ");
    let signature = body.and_then(|body| body[run(body, part)..].strip_prefix(b"."));
    signature.is_some_and(|signature| run(signature, part) >= 16)
}

/// How many bytes from the first on are of a kind.
fn run(bytes: &[u8], kind: impl Fn(u8) -> bool) -> usize {
    bytes.iter().take_while(|byte| kind(**byte)).count()
}

impl fmt::Display for Shape {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::AwsAccessKeyId => "what looks like an AWS access key id",
            Self::PrivateKey => "what looks like a private key in PEM",
            Self::GitHubToken => "what looks like a GitHub token",
            Self::SlackToken => "what looks like a Slack token",
            Self::StripeKey => "what looks like a live Stripe key",
            Self::GoogleApiKey => "what looks like a Google API key",
            Self::JsonWebToken => "what looks like a signed JSON web token",
        })
    }
}
