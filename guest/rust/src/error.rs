use alloc::borrow::Cow;
use alloc::string::String;
use core::fmt;

/// A failure with a code that a program can act on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// Such as `"bad_date"`; may be empty.
    pub code: Cow<'static, str>,
    /// What is wrong and how to mend it.
    pub message: String,
}

/// What the host's functions fail with: the codes of docs/ABI.md.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// There is no such key.
    NotFound,
    /// The policy does not grant it; the message names the missing grant.
    Denied,
    /// A limit of the call is used up, or something is too long.
    Limit,
    /// The request is not what the function takes.
    Invalid,
    /// The key is at another version.
    Conflict,
    /// The host cannot do it now.
    Unavailable,
    /// The time of the request was over.
    Timeout,
}

impl Code {
    const ALL: [(Code, &'static str); 7] = [
        (Code::NotFound, "not_found"),
        (Code::Denied, "denied"),
        (Code::Limit, "limit"),
        (Code::Invalid, "invalid"),
        (Code::Conflict, "conflict"),
        (Code::Unavailable, "unavailable"),
        (Code::Timeout, "timeout"),
    ];

    /// The code's name, as it stands in an [`Error`].
    pub fn name(self) -> &'static str {
        Code::ALL[self as usize].1
    }

    /// The code at a number of the ABI; a number it does not know is `Unavailable`.
    pub(crate) fn of(number: u32) -> Code {
        Code::ALL.get((number as usize).wrapping_sub(1)).map_or(Code::Unavailable, |(code, _)| *code)
    }
}

impl Error {
    /// Makes an error.
    pub fn new(code: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Error {
        Error { code: code.into(), message: message.into() }
    }

    /// Says whether this is the host's failure of that code.
    pub fn is(&self, code: Code) -> bool {
        self.code == code.name()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl core::error::Error for Error {}
