//! A tool that counts the words of a text and keeps a running total in the host's state.
//! go-count, c-count and as-count are the same tool in other languages.

use ingot_guest::{log, record, state, tool, Error, Level};

record! {
    /// The tool's arguments.
    pub struct Args {
        /// the text to count
        #[schema(maxLength = 100000)]
        pub text: String,
        /// which running total to add to; all by default
        #[schema(minLength = 1, maxLength = 64)]
        pub counter: Option<String>,
    }
}

record! {
    /// What the tool answers.
    pub struct Counted {
        /// runs of anything but spaces, tabs and line breaks
        pub words: u64,
        /// lines, the last one counted even without a line break
        pub lines: u64,
        /// length in UTF-8
        pub bytes: u64,
        /// words under this counter, this call included
        pub total: i64,
    }
}

tool! {
    name: "count_rust",
    title: "Word counter (Rust)",
    description: "Counts the words, lines and bytes of a text, and adds the words to a running total.",
    hints: [],
    call: count,
}

/// Counts one text.
pub fn count(args: Args) -> Result<Counted, Error> {
    let counter = args
        .counter
        .filter(|c| !c.is_empty())
        .unwrap_or("all".into());
    if !counter
        .bytes()
        .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    {
        return Err(Error::new(
            "bad_counter",
            "a counter's name has the characters a-z, 0-9 and - only",
        ));
    }
    let words = args
        .text
        .split([' ', '\t', '\n', '\r'])
        .filter(|word| !word.is_empty())
        .count() as u64;
    let breaks = args.text.matches('\n').count() as u64;
    let open_end = !args.text.is_empty() && !args.text.ends_with('\n');
    let total = state::increment(&format!("count/{counter}"), words as i64, 0)?;
    log(Level::Info, &format!("counted {words} words"));
    Ok(Counted {
        words,
        lines: breaks + u64::from(open_end),
        bytes: args.text.len() as u64,
        total,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts() {
        for (text, counter, want) in [
            ("a b\tc\r\n", None, (3, 1, 7, 3)),
            ("", None, (0, 0, 0, 3)),
            ("été\n\nhiver", Some("all"), (2, 3, 12, 5)),
            ("one", Some("other-1"), (1, 1, 3, 1)),
        ] {
            let got = count(Args {
                text: text.into(),
                counter: counter.map(String::from),
            })
            .unwrap();
            assert_eq!(
                (got.words, got.lines, got.bytes, got.total),
                want,
                "{text:?}"
            );
        }
        assert_eq!(
            count(Args {
                text: "".into(),
                counter: Some("../x".into())
            })
            .unwrap_err()
            .code,
            "bad_counter"
        );
        assert!(tool_entry::describe().contains(r#""name":"count_rust""#));
    }
}
