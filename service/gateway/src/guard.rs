//! Whom a gateway without access keys answers: programs of this machine, and no web page of somebody else's.
//!
//! Without keys the listener is on loopback. A browser of this machine still reaches it, on behalf of any page it shows:
//! 1. A page whose name comes to resolve to 127.0.0.1 (DNS rebinding) is of the gateway's own origin, and may read answers.
//!    The request's `Host` is that name, so only names of this machine are answered, and those of `server.allowed_hosts`.
//! 2. A page may send simple requests anywhere without asking first (Fetch standard, 2.2.2), such as a POST that invokes a
//!    function. The browser says so in `Sec-Fetch-Site`, or else in `Origin`; a page can set neither. Such requests are
//!    refused if their method may change something. Programs send neither header.
//!
//! Function URLs are exempt: they are for web pages, and their configuration says for whom.

use std::net::IpAddr;

use http::header::{HOST, ORIGIN};
use http::uri::Authority;
use http::{HeaderMap, HeaderValue, Request, Uri};
use offshoot_lambda::error::{ApiError, ErrorKind};

const SEC_FETCH_SITE: &str = "sec-fetch-site";

/// What is known of the names under which this gateway is asked.
#[derive(Debug)]
pub(crate) struct Guard {
    allowed_hosts: Vec<String>,
}

impl Guard {
    /// Answers names of this machine and `allowed_hosts`: names or addresses without a port; `*.` stands for all names below.
    pub(crate) fn new(allowed_hosts: Vec<String>) -> Self {
        Self { allowed_hosts }
    }

    /// Refuses a request that a web page of another site may have caused.
    pub(crate) fn check<B>(&self, request: &Request<B>) -> Result<(), ApiError> {
        let hosts = hosts(request)?;
        if let Some(foreign) = hosts.iter().find(|host| !self.knows(host.host())) {
            return Err(refusal(format!(
                "The host {foreign} is not a name of this machine. Without access keys, requests to localhost and loopback \
                 addresses are answered only; the setting server.allowed_hosts adds names"
            )));
        }
        if !request.method().is_safe() && !self_made(request.headers(), &hosts) {
            return Err(refusal(
                "A web page of another site may not change anything here. With access keys ([auth] access_keys) requests \
                 are judged by their signature instead",
            ));
        }
        Ok(())
    }

    fn knows(&self, host: &str) -> bool {
        let name = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
        let this_machine = match address(&name) {
            Some(address) => address.to_canonical().is_loopback(),
            // No name server is asked for these (RFC 6761, 6.3).
            None => name == "localhost" || name.ends_with(".localhost"),
        };
        this_machine
            || self
                .allowed_hosts
                .iter()
                .any(|allowed| fits(allowed, &name))
    }
}

/// Whether `name` is what `allowed` says.
fn fits(allowed: &str, name: &str) -> bool {
    match allowed.strip_prefix('*') {
        Some(end) => name
            .strip_suffix(&end.to_ascii_lowercase())
            .is_some_and(|label| !label.is_empty()),
        None => match (address(allowed), address(name)) {
            (Some(allowed), Some(address)) => allowed == address,
            _ => allowed.eq_ignore_ascii_case(name),
        },
    }
}

fn address(host: &str) -> Option<IpAddr> {
    let bare = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    bare.unwrap_or(host).parse().ok()
}

/// Every host that a request names: in its head, and in its target (HTTP/2, or as to a proxy). A browser names one at least.
fn hosts<B>(request: &Request<B>) -> Result<Vec<Authority>, ApiError> {
    let unreadable = || ApiError::new(ErrorKind::Validation, "The Host header cannot be read");
    let read = |value: &HeaderValue| {
        let text = value.to_str().map_err(|_| unreadable())?;
        // Credentials before the name belong into no Host (RFC 9110, 7.2).
        let authority = text.parse().ok().filter(|_| !text.contains('@'));
        authority.ok_or_else(unreadable)
    };
    let named = request.headers().get_all(HOST).iter().map(read);
    let target = request.uri().authority().cloned().map(Ok);
    named.chain(target).collect()
}

/// Whether no page of another site can have caused a request.
fn self_made(headers: &HeaderMap, hosts: &[Authority]) -> bool {
    if let Some(site) = headers.get(SEC_FETCH_SITE) {
        // `none`: a person did, by typing an address.
        return site == "same-origin" || site == "none";
    }
    let Some(origin) = headers.get(ORIGIN) else {
        return true;
    };
    let origin: Option<Uri> = origin.to_str().ok().and_then(|text| text.parse().ok());
    origin.is_some_and(|origin| hosts.iter().any(|host| is_of(&origin, host)))
}

/// Whether `origin` is the host itself. The scheme may differ: a proxy may have ended TLS.
fn is_of(origin: &Uri, host: &Authority) -> bool {
    let default_port = match origin.scheme_str() {
        Some("http") => 80,
        Some("https") => 443,
        _ => return false,
    };
    let port = |given: Option<u16>| given.unwrap_or(default_port);
    let name = origin.host().unwrap_or_default();
    name.eq_ignore_ascii_case(host.host()) && port(origin.port_u16()) == port(host.port_u16())
}

fn refusal(message: impl Into<String>) -> ApiError {
    ApiError::new(ErrorKind::AccessDenied, message)
}

#[cfg(test)]
mod tests;
