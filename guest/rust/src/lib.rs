//! Write ingot tools in Rust. A tool is a `cdylib` that names one typed function;
//! ingot's hosts run it in a sandbox. The crate has no dependencies, and needs
//! `alloc` only when its feature `std` is off.
//!
//! ```
//! use ingot_guest::{record, tool, Error};
//!
//! record! {
//!     /// The tool's arguments.
//!     pub struct Args {
//!         /// the text to shout
//!         #[schema(maxLength = 1000)]
//!         pub text: String,
//!         /// how many exclamation marks; 1 by default
//!         pub marks: Option<u32>,
//!     }
//! }
//!
//! record! {
//!     pub struct Loud { pub upper: String }
//! }
//!
//! tool! {
//!     name: "shout",
//!     description: "Turns a text to upper case.",
//!     call: shout,
//! }
//!
//! fn shout(args: Args) -> Result<Loud, Error> {
//!     if args.text.is_empty() {
//!         return Err(Error::new("nothing", "there is nothing to shout: give some text"));
//!     }
//!     let marks = "!".repeat(args.marks.unwrap_or(1) as usize);
//!     Ok(Loud { upper: args.text.to_uppercase() + &marks })
//! }
//!
//! # fn main() {
//! let out = tool_entry::call(r#"{"text":"hello"}"#).unwrap();
//! assert_eq!(out, r#"{"upper":"HELLO!"}"#);
//! # }
//! ```
//!
//! Build it with
//!
//! ```text
//! cargo build --release --target wasm32-unknown-unknown
//! ```
//!
//! The main parts are [`record!`], which makes a struct with its JSON and its schema,
//! [`tool!`], which makes the module's exports of a function, and [`Error`], a failure
//! with a code. [`log`], [`progress`], [`state`] and [`http`] are what the host does for
//! a tool; what its policy does not grant answers [`Code::Denied`].
//!
//! # Caveats
//!
//! On targets other than wasm32 a map in memory stands in for the host's state, and HTTP
//! is unavailable: enough to test a tool by `cargo test`. On `wasm32-unknown-unknown` the
//! clock and the random source of `std` do not work; build for `wasm32-wasip1` with
//! `crate-type = ["cdylib"]` to have them.
#![no_std]
#![deny(missing_docs)]

extern crate alloc;
#[cfg(any(feature = "std", not(target_arch = "wasm32")))]
extern crate std;

mod error;
mod field;
mod host;
pub mod http;
pub mod json;
pub mod state;
mod tool;

pub use error::{Code, Error};
pub use field::Field;
pub use host::{log, progress, Level};
#[doc(hidden)]
pub use tool::__private;
