//! The scenarios. Each starts what it needs, records its figures and cleans up.

pub(crate) mod clone;
pub(crate) mod cold;
pub(crate) mod e2e;
pub(crate) mod hot;
pub(crate) mod idle;
pub(crate) mod kill;
pub(crate) mod leak;
pub(crate) mod noise;
mod oracle;
mod platform;
pub(crate) mod sandbox;
pub(crate) mod throughput;
pub(crate) mod unique;
