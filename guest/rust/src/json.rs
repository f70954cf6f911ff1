//! A small JSON reader and writer, for what [`record!`](crate::record) does not cover.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write;

/// How deep values may nest.
const DEPTH_MAX: usize = 100;

/// A JSON value. The members of an object stand in their order.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number without fraction and exponent that fits.
    Integer(i64),
    /// Any other number.
    Number(f64),
    /// A string.
    String(String),
    /// An array.
    Array(Vec<Value>),
    /// An object.
    Object(Vec<(String, Value)>),
}

impl Value {
    /// Reads one value. The error says what is wrong and at which byte.
    pub fn parse(text: &str) -> Result<Value, String> {
        let mut r = Reader { text, at: 0 };
        let value = r.value(0)?;
        r.space();
        match r.peek() {
            None => Ok(value),
            Some(_) => Err(r.wrong("the end")),
        }
    }

    /// A member of an object, or nothing.
    pub fn get(&self, name: &str) -> Option<&Value> {
        match self {
            Value::Object(members) => members.iter().find(|(n, _)| n == name).map(|(_, v)| v),
            _ => None,
        }
    }

    /// The text of a string, or nothing.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::String(s) => Some(s),
            _ => None,
        }
    }

    /// What kind of value it is, for messages.
    pub fn kind(&self) -> &'static str {
        match self {
            Value::Null => "null",
            Value::Bool(_) => "a boolean",
            Value::Integer(_) | Value::Number(_) => "a number",
            Value::String(_) => "a string",
            Value::Array(_) => "an array",
            Value::Object(_) => "an object",
        }
    }

    /// Appends the value as JSON. A number that is not finite is written as null.
    pub fn write(&self, out: &mut String) {
        match self {
            Value::Null => out.push_str("null"),
            Value::Bool(b) => out.push_str(if *b { "true" } else { "false" }),
            Value::Integer(n) => {
                let _ = write!(out, "{n}"); // a String takes everything
            }
            Value::Number(n) => write_number(*n, out),
            Value::String(s) => write_string(s, out),
            Value::Array(items) => {
                out.push('[');
                for (i, item) in items.iter().enumerate() {
                    if i > 0 {
                        out.push(',');
                    }
                    item.write(out);
                }
                out.push(']');
            }
            Value::Object(members) => {
                out.push('{');
                for (i, (name, value)) in members.iter().enumerate() {
                    if i > 0 {
                        out.push(',');
                    }
                    write_string(name, out);
                    out.push(':');
                    value.write(out);
                }
                out.push('}');
            }
        }
    }
}

/// Appends a number; one that is not finite as null.
pub fn write_number(n: f64, out: &mut String) {
    if n.is_finite() {
        let _ = write!(out, "{n}");
    } else {
        out.push_str("null");
    }
}

/// Appends a string with its quotes.
pub fn write_string(s: &str, out: &mut String) {
    out.push('"');
    for c in s.chars() {
        match c {
            '"' | '\\' => {
                out.push('\\');
                out.push(c);
            }
            '\n' => out.push_str("\\n"),
            '\u{0}'..='\u{1f}' => {
                let _ = write!(out, "\\u{:04x}", c as u32);
            }
            _ => out.push(c),
        }
    }
    out.push('"');
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn wrong(&self, wanted: &str) -> String {
        match self.text.get(self.at..).and_then(|rest| rest.chars().next()) {
            None => format!("the JSON ends where {wanted} should be"),
            Some(c) => format!("{c:?} stands where {wanted} should be, at byte {}", self.at),
        }
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    /// Takes c if it comes next, after space.
    fn take(&mut self, c: u8) -> bool {
        self.space();
        let there = self.peek() == Some(c);
        self.at += usize::from(there);
        there
    }

    fn value(&mut self, depth: usize) -> Result<Value, String> {
        if depth > DEPTH_MAX {
            return Err(format!("the JSON nests deeper than {DEPTH_MAX}"));
        }
        self.space();
        match self.peek() {
            Some(b'{') => self.object(depth),
            Some(b'[') => self.array(depth),
            Some(b'"') => self.string().map(Value::String),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => {
                for (word, value) in [("null", Value::Null), ("true", Value::Bool(true)), ("false", Value::Bool(false))]
                {
                    if self.text[self.at..].starts_with(word) {
                        self.at += word.len();
                        return Ok(value);
                    }
                }
                Err(self.wrong("a value"))
            }
        }
    }

    fn object(&mut self, depth: usize) -> Result<Value, String> {
        let mut members = Vec::new();
        self.at += 1; // the brace
        if self.take(b'}') {
            return Ok(Value::Object(members));
        }
        loop {
            self.space();
            if self.peek() != Some(b'"') {
                return Err(self.wrong("a member's name"));
            }
            let name = self.string()?;
            if !self.take(b':') {
                return Err(self.wrong("a colon"));
            }
            members.push((name, self.value(depth + 1)?));
            if self.take(b'}') {
                return Ok(Value::Object(members));
            }
            if !self.take(b',') {
                return Err(self.wrong("a comma"));
            }
        }
    }

    fn array(&mut self, depth: usize) -> Result<Value, String> {
        let mut items = Vec::new();
        self.at += 1; // the bracket
        if self.take(b']') {
            return Ok(Value::Array(items));
        }
        loop {
            items.push(self.value(depth + 1)?);
            if self.take(b']') {
                return Ok(Value::Array(items));
            }
            if !self.take(b',') {
                return Err(self.wrong("a comma"));
            }
        }
    }

    fn number(&mut self) -> Result<Value, String> {
        let start = self.at;
        while matches!(self.peek(), Some(b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9')) {
            self.at += 1;
        }
        let text = &self.text[start..self.at];
        if !number_is_json(text) {
            self.at = start;
            return Err(self.wrong("a number"));
        }
        if let Ok(n) = text.parse() {
            return Ok(Value::Integer(n));
        }
        text.parse().map(Value::Number).map_err(|_| {
            self.at = start;
            self.wrong("a number")
        })
    }

    fn string(&mut self) -> Result<String, String> {
        let mut out = String::new();
        self.at += 1; // the quote
        loop {
            let rest = &self.text[self.at..];
            let plain = rest.find(|c: char| c == '"' || c == '\\' || c < ' ').unwrap_or(rest.len());
            out.push_str(&rest[..plain]);
            self.at += plain;
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(out);
                }
                Some(b'\\') => {
                    self.at += 1;
                    let c = self.escape()?;
                    out.push(c);
                }
                _ => return Err(self.wrong("the end of a string")),
            }
        }
    }

    /// Reads what follows a backslash.
    fn escape(&mut self) -> Result<char, String> {
        let c = match self.peek() {
            Some(c @ (b'"' | b'\\' | b'/')) => c as char,
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                self.at += 1;
                return self.unicode();
            }
            _ => return Err(self.wrong("an escape")),
        };
        self.at += 1;
        Ok(c)
    }

    /// Reads the digits of a \u escape, and its other half if it is one of a pair. A
    /// half without its other is U+FFFD.
    fn unicode(&mut self) -> Result<char, String> {
        let first = self.hex4()?;
        if (0xd800..0xdc00).contains(&first) && self.text[self.at..].starts_with("\\u") {
            let back = self.at;
            self.at += 2;
            let second = self.hex4()?;
            if (0xdc00..0xe000).contains(&second) {
                let code = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
                return Ok(char::from_u32(code).unwrap_or('\u{fffd}'));
            }
            self.at = back;
        }
        Ok(char::from_u32(first).unwrap_or('\u{fffd}'))
    }

    fn hex4(&mut self) -> Result<u32, String> {
        let digits = self
            .text
            .get(self.at..self.at + 4)
            .filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()))
            .ok_or_else(|| self.wrong("four hex digits"))?;
        self.at += 4;
        u32::from_str_radix(digits, 16).map_err(|_| self.wrong("four hex digits"))
    }
}

/// Says whether a text has JSON's form of a number, which is stricter than Rust's.
fn number_is_json(text: &str) -> bool {
    let digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
    let text = text.strip_prefix('-').unwrap_or(text);
    let (mantissa, exponent) = match text.find(['e', 'E']) {
        Some(at) => (&text[..at], Some(&text[at + 1..])),
        None => (text, None),
    };
    let (whole, fraction) = match mantissa.find('.') {
        Some(at) => (&mantissa[..at], Some(&mantissa[at + 1..])),
        None => (mantissa, None),
    };
    digits(whole)
        && (whole == "0" || !whole.starts_with('0'))
        && fraction.is_none_or(digits)
        && exponent.is_none_or(|e| digits(e.strip_prefix(['+', '-']).unwrap_or(e)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn again(text: &str) -> String {
        let mut out = String::new();
        Value::parse(text).expect(text).write(&mut out);
        out
    }

    #[test]
    fn reads_and_writes() {
        for (text, want) in [
            (" [ 1 , -0 , 9223372036854775807 ] ", "[1,0,9223372036854775807]"),
            ("[1.5,1e3,-2E-2,9223372036854775808]", "[1.5,1000,-0.02,9223372036854776000]"),
            (r#"{"a":{"b":[true,false,null]},"a2":""}"#, r#"{"a":{"b":[true,false,null]},"a2":""}"#),
            (r#""\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00""#, "\"\\\"\\\\/\\u0008\\u000c\\n\\u000d\\u0009é😀\""),
            (r#""\ud83d\u0041 \udc00""#, "\"\u{fffd}A \u{fffd}\""),
        ] {
            assert_eq!(again(text), want, "{text}");
        }
        assert_eq!(Value::parse(r#"{"a":"b"}"#).unwrap().get("a").and_then(Value::as_str), Some("b"));
    }

    #[test]
    fn refuses() {
        for (text, says) in [
            ("", "the JSON ends where a value should be"),
            ("[1", "where a comma should be"),
            ("[1,]", "']' stands where a value should be, at byte 3"),
            ("{1:2}", "a member's name"),
            (r#"{"a" 1}"#, "a colon"),
            ("01", "a number"),
            ("1.", "a number"),
            ("-", "a number"),
            ("+1", "a value"),
            ("1 2", "where the end should be"),
            ("\"\n\"", "the end of a string"),
            (r#""\x""#, "an escape"),
            (r#""\u12g4""#, "four hex digits"),
            (r#""\u1é""#, "four hex digits"),
            ("nul", "a value"),
        ] {
            let wrong = Value::parse(text).expect_err(text);
            assert!(wrong.contains(says), "{text}: {wrong}");
        }
        assert!(Value::parse(&"[".repeat(100_000)).unwrap_err().contains("deeper"));
        assert_eq!(again(&("[".repeat(100) + &"]".repeat(100))).len(), 200);
        let mut out = String::new();
        Value::Number(f64::NAN).write(&mut out);
        assert_eq!(out, "null");
    }
}
