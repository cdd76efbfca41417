//! What the processes of the clone engine tell each other.

pub use offshoot_clone::fuzz::messages;

pub(crate) fn samples() -> Vec<Vec<u8>> {
    offshoot_clone::fuzz::message_samples()
}
