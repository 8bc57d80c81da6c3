//! Prints a synthetic mesh: `synthetic SERVICES CLUSTERS CALLS [SEED]`.

use mesh_tests::synthetic::{Shape, mesh};

fn main() {
    let numbers: Vec<usize> = std::env::args().skip(1).filter_map(|argument| argument.parse().ok()).collect();
    let (services, clusters, calls, seed) = match numbers.as_slice() {
        [services, clusters, calls] => (*services, *clusters, *calls, 1),
        [services, clusters, calls, seed] => (*services, *clusters, *calls, *seed as u64),
        _ => {
            eprintln!("usage: synthetic SERVICES CLUSTERS CALLS [SEED]");
            std::process::exit(2);
        }
    };
    print!("{}", mesh(Shape { services, clusters, calls, seed }));
}
