// Arguments, environment, current directory and executable as std sees them; another process id.
include!("../fidelity.rs");
use std::env;

fn main() {
    let before = (env::args().collect::<Vec<_>>(), env::current_dir().unwrap(), env::current_exe().unwrap());
    let mut variables: Vec<_> = env::vars_os().collect();
    let id = std::process::id();
    wait_for_clone();
    let after = (env::args().collect::<Vec<_>>(), env::current_dir().unwrap(), env::current_exe().unwrap());
    same(after, before);
    if sabotaged() {
        variables.pop();
    }
    same(env::vars_os().collect::<Vec<_>>(), variables);
    same(std::process::id() == id, native());
    pass();
}
