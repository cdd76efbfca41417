#!/usr/bin/env bash
# The official runtime clients that have to be compiled, unmodified, against the real daemon: `aws-lambda-ric` for Node
# (native code: about 2 minutes, wants cmake, autoconf, automake, libtool, g++, python3) and the crate `lambda_runtime`
# for Rust (about 1 minute). Not part of `make test` because of that time and the network that it needs.
#
#   OFFSHOOT_E2E_CLIENTS=1 tests/e2e/official_clients.sh
#
# What was built is kept in target/e2e-clients; remove it to build anew.
set -euo pipefail
[ "${OFFSHOOT_E2E_CLIENTS:-}" = 1 ] || { echo "official clients: skipped, OFFSHOOT_E2E_CLIENTS is not 1"; exit 0; }

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
work=$root/target/e2e-clients
export OFFSHOOT_BIN=${OFFSHOOT_BIN:-$root/target/release/offshoot}
# The last one for Node 20.
NODE_RIC=aws-lambda-ric@3.3.0
RUST_RUNTIME=1.5.0

missing=()
for tool in cmake autoconf automake libtoolize g++ make npm cargo; do
    command -v "$tool" >/dev/null 2>&1 || missing+=("$tool")
done
if [ ${#missing[@]} -gt 0 ]; then
    echo "official clients: missing ${missing[*]} (apt-get install cmake autoconf automake libtool g++ make)" >&2
    exit 3
fi

build_node() {
    [ -d "$work/node/node_modules/aws-lambda-ric" ] && return
    echo "official clients: building $NODE_RIC" >&2
    mkdir -p "$work/node"
    npm install --prefix "$work/node" --no-audit --no-fund --silent "$NODE_RIC"
}

build_rust() {
    [ -x "$work/rust/target/release/bootstrap" ] && grep -qs "lambda_runtime = \"=$RUST_RUNTIME\"" "$work/rust/Cargo.toml" && return
    echo "official clients: building lambda_runtime $RUST_RUNTIME" >&2
    mkdir -p "$work/rust/src"
    cat > "$work/rust/Cargo.toml" <<TOML
[package]
name = "bootstrap"
version = "0.0.0"
edition = "2021"
publish = false
[dependencies]
lambda_runtime = "=$RUST_RUNTIME"
serde_json = "1"
tokio = { version = "1", features = ["rt", "rt-multi-thread"] }
# Stands alone, though it lies below another workspace.
[workspace]
TOML
    cat > "$work/rust/src/main.rs" <<'RUST'
use std::io::Read;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;

use lambda_runtime::{service_fn, BoxFuture, Error, LambdaEvent, Runtime, SnapStartResource};
use serde_json::{json, Value};

/// What clones must not share: made by init, and anew after a restore.
static NONCE: AtomicU64 = AtomicU64::new(0);
static RESTORES: AtomicU64 = AtomicU64::new(0);

struct Nonce;

impl Nonce {
    fn draw() -> Result<(), Error> {
        let mut bytes = [0; 8];
        std::fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
        NONCE.store(u64::from_ne_bytes(bytes), Ordering::Relaxed);
        Ok(())
    }
}

impl SnapStartResource for Nonce {
    fn after_restore(&self) -> BoxFuture<'_, Result<(), Error>> {
        Box::pin(async {
            if std::env::var_os("FAIL_RESTORE").is_some() {
                return Err("no way back".into());
            }
            RESTORES.fetch_add(1, Ordering::Relaxed);
            Self::draw()
        })
    }
}

async fn handler(event: LambdaEvent<Value>) -> Result<Value, Error> {
    if event.payload["fail"] == true {
        return Err("from the Rust client".into());
    }
    if let Some(size) = event.payload["size"].as_u64() {
        return Ok(Value::String("x".repeat(size as usize)));
    }
    Ok(json!({
        "event": event.payload, "id": event.context.request_id, "arn": event.context.invoked_function_arn,
        "restores": RESTORES.load(Ordering::Relaxed), "nonce": NONCE.load(Ordering::Relaxed),
    }))
}

fn main() -> Result<(), Error> {
    Nonce::draw()?;
    let mut runtime = match std::env::var_os("MANY_THREADS") {
        Some(_) => tokio::runtime::Builder::new_multi_thread(),
        None => tokio::runtime::Builder::new_current_thread(),
    };
    let runtime = runtime.enable_all().build()?;
    runtime.block_on(async { Runtime::new(service_fn(handler)).register_snapstart_resource(Arc::new(Nonce)).run().await })
}
RUST
    (cd "$work/rust" && CARGO_TARGET_DIR=target cargo build --release --quiet)
}

build_node
build_rust
cd "$here"
PYTHONDONTWRITEBYTECODE=1 OFFSHOOT_E2E_BUILT="$work" "$root/target/e2e-venv/bin/python" -m unittest built_clients
