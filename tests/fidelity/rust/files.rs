// Files: a buffered reader in the middle of one, a writer with bytes not yet written, a deleted one.
include!("../fidelity.rs");
use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, BufWriter, Seek, SeekFrom};
use std::path::PathBuf;

fn main() {
    let directory = PathBuf::from(std::env::var_os("FIDELITY_DIR").unwrap());
    let lines: String = (0..10_000).map(|i| format!("line {i}\n")).collect();
    fs::write(directory.join("lines"), lines).unwrap();
    let mut reader = BufReader::new(File::open(directory.join("lines")).unwrap()).lines();
    (0..5000).for_each(|i| same(reader.next().unwrap().unwrap(), format!("line {i}")));
    let options = OpenOptions::new().read(true).write(true).create(true).truncate(true).clone();
    let mut writer = BufWriter::new(options.open(directory.join("deleted")).unwrap());
    writer.write_all(b"unwritten").unwrap();
    fs::remove_file(directory.join("deleted")).unwrap();
    wait_for_clone();
    if sabotaged() {
        reader.next();
    }
    (5000..10_000).for_each(|i| same(reader.next().unwrap().unwrap(), format!("line {i}")));
    let mut file = writer.into_inner().unwrap();
    file.seek(SeekFrom::Start(0)).unwrap();
    let mut text = String::new();
    file.read_to_string(&mut text).unwrap();
    same(text, "unwritten".to_owned());
    pass();
}
