//! The AWS Lambda API as bytes and types: what a request may look like, what is wrong with it,
//! and how an answer or an error is written. Nothing here does I/O or knows a runtime.
//!
//! How a control-plane request becomes a typed value:
//!
//! 1. [`operation::route`] finds the operation from method, path and query.
//! 2. [`request::decode`] reads the JSON body, binds path, query and header members through
//!    [`request::Parts`], and checks the model's constraints.
//! 3. What fails is an [`error::ApiError`], which knows its status, type header and body.
//!
//! Types, constraints and the route table in [`generated`] come from AWS's own service model
//! (`cargo xtask codegen`); everything else is written by hand.
//!
//! Callers must still: bound the body before it gets here ([`limits`]), resolve identifiers with
//! [`arn`] (the model's patterns accept names that AWS then refuses), and apply the rules that
//! the model does not state, such as quotas.
//!
//! Cost: validation runs regular expressions in linear time and belongs to the control plane.
//! The invoke path uses [`request::decode_unchecked`], which runs none.

pub mod arn;
pub mod blob;
pub mod constraint;
pub mod error;
pub mod eventstream;
pub mod generated;
pub mod limits;
pub mod operation;
pub mod request;
