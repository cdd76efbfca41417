//! Rules that concern several keys.

use super::Config;
use super::error::{ConfigError, Place};

/// Refuses what each value alone would allow. `place` says where a key's value stands.
pub fn check(config: &Config, place: impl Fn(&str, &str) -> Place) -> Result<(), ConfigError> {
    // Without keys nothing is verified, so only this machine may ask.
    if config.auth.access_keys.is_empty() && !config.server.listen.ip().is_loopback() {
        return Err(ConfigError::Exposed {
            place: place("server", "listen"),
            listen: config.server.listen,
        });
    }
    Ok(())
}
