//! Writes random sections for `tests/random.rs`.
//!
//! `HOTSLED_SECTIONS_SEED` chooses which, `HOTSLED_SECTIONS` how many.

mod dice;
mod expr;
mod section;
mod stmt;
mod ty;

use std::path::PathBuf;
use std::{env, fs};

fn main() {
    println!("cargo::rerun-if-changed=build");
    let seed = number("HOTSLED_SECTIONS_SEED", 1);
    let count = number("HOTSLED_SECTIONS", 40);
    let sections: String = (0..count).map(|n| section::source(seed, n)).collect();
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    fs::write(out.join("sections.rs"), sections).expect("a writable OUT_DIR");
    println!("cargo::rustc-env=HOTSLED_SECTIONS_SEED={seed}");
}

fn number(variable: &str, default: u64) -> u64 {
    println!("cargo::rerun-if-env-changed={variable}");
    let Ok(value) = env::var(variable) else {
        return default;
    };
    let parsed = value.parse();
    parsed.unwrap_or_else(|_| panic!("{variable}={value:?} is no number"))
}
