//! Prints a synthetic mesh: `synthetic SERVICES CLUSTERS CALLS [SEED [RARE]]`.

use mesh_tests::synthetic::{RARE, Shape, mesh};

fn main() {
    let numbers: Vec<usize> = std::env::args().skip(1).filter_map(|argument| argument.parse().ok()).collect();
    let (services, clusters, calls, seed, rare) = match numbers.as_slice() {
        [services, clusters, calls] => (*services, *clusters, *calls, 1, RARE),
        [services, clusters, calls, seed] => (*services, *clusters, *calls, *seed as u64, RARE),
        [services, clusters, calls, seed, rare] => (*services, *clusters, *calls, *seed as u64, *rare),
        _ => {
            eprintln!("usage: synthetic SERVICES CLUSTERS CALLS [SEED [RARE]]");
            std::process::exit(2);
        }
    };
    print!("{}", mesh(Shape { services, clusters, calls, seed, rare }));
}
