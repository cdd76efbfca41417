//! Times unpacking one zip: `measure ZIP STORE_DIR ROUNDS`. The figures in
//! `docs/design/packages.md` come from it. Needs `offshoot-unpack-worker` next to its parent
//! directory, where cargo puts it.

use std::error::Error;
use std::path::Path;
use std::time::Instant;

use offshoot_package::{Limits, PackageStore, Worker};

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().collect();
    let [_, zip, store, rounds] = args.as_slice() else {
        return Err("usage: measure ZIP STORE_DIR ROUNDS".into());
    };
    let program = std::env::current_exe()?.with_file_name("../offshoot-unpack-worker");
    let store = PackageStore::open(Path::new(store), Worker::new(program, &[]))?;
    let zip = std::fs::read(zip)?;
    let limits = Limits {
        zipped_bytes: 1 << 30,
        ..Limits::default()
    };
    for _ in 0..rounds.parse()? {
        let started = Instant::now();
        let package = store.unpack(&zip, &limits)?;
        let unpacked = started.elapsed();
        let started = Instant::now();
        store.unpack(&zip, &limits)?;
        let found = started.elapsed();
        let started = Instant::now();
        store.remove(&package.digest)?;
        println!(
            "{} entries, {} bytes: unpacked in {:.1} ms, found again in {:.1} ms, removed in {:.1} ms",
            package.entries,
            package.unzipped_bytes,
            unpacked.as_secs_f64() * 1e3,
            found.as_secs_f64() * 1e3,
            started.elapsed().as_secs_f64() * 1e3,
        );
    }
    Ok(())
}
