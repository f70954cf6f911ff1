//! rust_fibonacci: a number of Fibonacci's sequence.

use ingot_guest::{record, tool, Error};

record! {
    /// The tool's arguments.
    pub struct Args {
        /// the position in the sequence, from 0 on
        #[schema(minimum = 0, maximum = 90)]
        pub n: u32,
    }
}

record! {
    /// What the tool answers.
    pub struct Number {
        /// the position
        pub n: u32,
        /// the number there
        pub value: u64,
    }
}

tool! {
    name: "rust_fibonacci",
    description: "The number at a position of Fibonacci's sequence.",
    hints: [read_only, idempotent],
    call: fibonacci,
}

/// The tool. 90 is the last position whose number every language reads exactly as JSON's
/// integers are read, below 2^63.
pub fn fibonacci(args: Args) -> Result<Number, Error> {
    let (mut value, mut next) = (0u64, 1u64);
    for _ in 0..args.n {
        (value, next) = (next, value + next);
    }
    Ok(Number { n: args.n, value })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_numbers() {
        for (n, want) in [(0, 0), (1, 1), (10, 55), (50, 12586269025), (90, 2880067194370816120)] {
            assert_eq!(fibonacci(Args { n }).unwrap().value, want);
        }
    }
}
