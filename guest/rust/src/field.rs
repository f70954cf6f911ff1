use crate::json::{self, Value};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

/// A type that can stand in a [`record!`](crate::record): it knows its schema, and how it
/// is read and written. Strings, booleans, numbers, `Option`, `Vec`, records and
/// [`Value`] (which takes anything) are such types.
pub trait Field: Sized {
    /// Appends the members of the type's JSON Schema, without the braces.
    fn schema(out: &mut String);
    /// Reads a value. The error goes on from "NAME ".
    fn read(value: &Value) -> Result<Self, String>;
    /// Appends the value as JSON.
    fn write(&self, out: &mut String);
    /// What an absent member is; nothing when it must be there.
    fn absent() -> Option<Self> {
        None
    }
    /// Says whether the member is left out of an object.
    fn is_absent(&self) -> bool {
        false
    }
}

/// The message for a value of another kind.
fn not(wanted: &str, value: &Value) -> String {
    format!("must be {wanted}, not {}", value.kind())
}

impl Field for String {
    fn schema(out: &mut String) {
        out.push_str(r#""type":"string""#);
    }
    fn read(value: &Value) -> Result<Self, String> {
        value.as_str().map(String::from).ok_or_else(|| not("a string", value))
    }
    fn write(&self, out: &mut String) {
        json::write_string(self, out);
    }
}

impl Field for bool {
    fn schema(out: &mut String) {
        out.push_str(r#""type":"boolean""#);
    }
    fn read(value: &Value) -> Result<Self, String> {
        match value {
            Value::Bool(b) => Ok(*b),
            _ => Err(not("a boolean", value)),
        }
    }
    fn write(&self, out: &mut String) {
        Value::Bool(*self).write(out);
    }
}

impl Field for f64 {
    fn schema(out: &mut String) {
        out.push_str(r#""type":"number""#);
    }
    fn read(value: &Value) -> Result<Self, String> {
        match value {
            Value::Integer(n) => Ok(*n as f64),
            Value::Number(n) => Ok(*n),
            _ => Err(not("a number", value)),
        }
    }
    fn write(&self, out: &mut String) {
        json::write_number(*self, out);
    }
}

macro_rules! integers {
    ($($type:ty: $schema:literal),*) => {$(
        impl Field for $type {
            fn schema(out: &mut String) {
                out.push_str($schema);
            }
            fn read(value: &Value) -> Result<Self, String> {
                let fits = match value {
                    Value::Integer(n) => <$type>::try_from(*n).ok(),
                    // 2.0 and 2e1 are integers to JSON Schema. Beyond 2^53 a fraction
                    // cannot be told from none.
                    Value::Number(n) if *n % 1.0 == 0.0 && (-9007199254740992.0..=9007199254740992.0).contains(n) => {
                        <$type>::try_from(*n as i64).ok()
                    }
                    _ => None,
                };
                fits.ok_or_else(|| match value {
                    Value::Integer(_) | Value::Number(_) => {
                        format!("must be an integer from {} to {}", <$type>::MIN, <$type>::MAX)
                    }
                    _ => not("an integer", value),
                })
            }
            fn write(&self, out: &mut String) {
                out.push_str(&self.to_string());
            }
        }
    )*};
}

integers! {
    i64: r#""type":"integer""#, i32: r#""type":"integer""#, i16: r#""type":"integer""#, i8: r#""type":"integer""#,
    u64: r#""type":"integer","minimum":0"#, u32: r#""type":"integer","minimum":0"#,
    u16: r#""type":"integer","minimum":0"#, u8: r#""type":"integer","minimum":0"#
}

impl<T: Field> Field for Option<T> {
    fn schema(out: &mut String) {
        T::schema(out);
    }
    fn read(value: &Value) -> Result<Self, String> {
        T::read(value).map(Some)
    }
    fn write(&self, out: &mut String) {
        match self {
            Some(value) => value.write(out),
            None => out.push_str("null"),
        }
    }
    fn absent() -> Option<Self> {
        Some(None)
    }
    fn is_absent(&self) -> bool {
        self.is_none()
    }
}

impl<T: Field> Field for Vec<T> {
    fn schema(out: &mut String) {
        out.push_str(r#""type":"array","items":{"#);
        T::schema(out);
        out.push('}');
    }
    fn read(value: &Value) -> Result<Self, String> {
        match value {
            Value::Array(items) => items
                .iter()
                .enumerate()
                .map(|(i, item)| T::read(item).map_err(|wrong| format!("has an item {i} that {wrong}")))
                .collect(),
            _ => Err(not("an array", value)),
        }
    }
    fn write(&self, out: &mut String) {
        out.push('[');
        for (i, item) in self.iter().enumerate() {
            if i > 0 {
                out.push(',');
            }
            item.write(out);
        }
        out.push(']');
    }
}

impl Field for Value {
    fn schema(out: &mut String) {
        // No rule: an empty schema takes anything.
        out.push_str(r#""description":"any JSON value""#);
    }
    fn read(value: &Value) -> Result<Self, String> {
        Ok(value.clone())
    }
    fn write(&self, out: &mut String) {
        Value::write(self, out);
    }
}

/// Makes a struct that is a JSON object, and its [`Field`](crate::Field).
///
/// A doc comment is the member's description. `#[schema(…)]` after it adds rules:
/// `#[schema(minLength = 1, maxLength = 64)]`, `#[schema(maximum = 9)]`. A member of type
/// `Option` may be absent; every other must be there, and no further ones may.
#[macro_export]
macro_rules! record {
    ($(#[doc = $about:literal])* $vis:vis struct $name:ident {
        $($(#[doc = $doc:literal])* $(#[schema($($rule:ident = $limit:literal),* $(,)?)])? $field_vis:vis $field:ident: $type:ty),* $(,)?
    }) => {
        $(#[doc = $about])*
        #[derive(Debug, Clone, PartialEq)]
        $vis struct $name {
            $($(#[doc = $doc])* $field_vis $field: $type),*
        }

        impl $crate::Field for $name {
            fn schema(out: &mut $crate::__private::String) {
                #[allow(unused_mut)]
                let mut o = $crate::__private::ObjectSchema::new(out);
                $(
                    o.member(stringify!($field), <$type as $crate::Field>::absent().is_none(), <$type as $crate::Field>::schema);
                    o.about(&[$($doc),*]);
                    $($(o.rule(stringify!($rule), stringify!($limit));)*)?
                )*
                o.end();
            }
            fn read(value: &$crate::json::Value) -> Result<Self, $crate::__private::String> {
                $crate::__private::known(value, &[$(stringify!($field)),*])?;
                Ok($name { $($field: $crate::__private::member(value, stringify!($field))?),* })
            }
            fn write(&self, out: &mut $crate::__private::String) {
                let start = out.len();
                $($crate::__private::put(out, start, stringify!($field), &self.$field);)*
                $crate::__private::close(out, start);
            }
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    crate::record! {
        /// Inside.
        struct Point { x: i32, y: u8 }
    }
    crate::record! {
        struct All {
            /// a name
            /// in two lines
            #[schema(minLength = 1, maxLength = 9)]
            name: String,
            on: Option<bool>,
            share: f64,
            points: Vec<Point>,
            any: Option<Value>,
            /// from 1
            #[schema(minimum = 1, maximum = 9)]
            few: Option<u8>,
        }
    }
    crate::record! { struct Nothing {} }

    fn schema<T: Field>() -> String {
        let mut out = String::from("{");
        T::schema(&mut out);
        out + "}"
    }

    #[test]
    fn schemas() {
        assert_eq!(
            schema::<All>(),
            concat!(
                r#"{"type":"object","properties":{"name":{"type":"string","description":"a name in two lines","minLength":1,"maxLength":9},"#,
                r#""on":{"type":"boolean"},"share":{"type":"number"},"points":{"type":"array","items":{"type":"object","properties":{"#,
                r#""x":{"type":"integer"},"y":{"type":"integer","minimum":0}},"required":["x","y"],"additionalProperties":false}},"#,
                r#""any":{"description":"any JSON value"},"few":{"type":"integer","description":"from 1","minimum":1,"maximum":9}},"required":["name","share","points"],"additionalProperties":false}"#
            )
        );
        assert_eq!(schema::<Nothing>(), r#"{"type":"object","properties":{},"additionalProperties":false}"#);
    }

    #[test]
    fn reads_what_it_writes() {
        for all in [
            All { name: "n".into(), on: None, share: 0.5, points: vec![], any: None, few: Some(3) },
            All {
                name: String::new(),
                on: Some(true),
                share: -1.0,
                points: vec![Point { x: i32::MIN, y: 255 }, Point { x: 0, y: 0 }],
                any: Some(Value::Null),
                few: None,
            },
        ] {
            let mut text = String::new();
            all.write(&mut text);
            assert_eq!(All::read(&Value::parse(&text).unwrap()), Ok(all), "{text}");
        }
        let mut text = String::new();
        Nothing {}.write(&mut text);
        assert_eq!(text, "{}");
    }

    #[test]
    fn refuses() {
        let read = |text: &str| Point::read(&Value::parse(text).unwrap()).unwrap_err();
        assert_eq!(read("[]"), "must be an object, not an array");
        assert_eq!(read(r#"{"x":1}"#), "lacks the member y");
        assert_eq!(read(r#"{"x":1,"y":1,"z":1}"#), "has the member z, which is not known");
        assert_eq!(read(r#"{"x":"1","y":1}"#), "has a member x that must be an integer, not a string");
        assert_eq!(read(r#"{"x":1,"y":256}"#), "has a member y that must be an integer from 0 to 255");
        assert_eq!(read(r#"{"x":1.5,"y":1}"#), "has a member x that must be an integer from -2147483648 to 2147483647");
        assert_eq!(Point::read(&Value::parse(r#"{"x":1e1,"y":2.0}"#).unwrap()), Ok(Point { x: 10, y: 2 }));
        assert!(Vec::<bool>::read(&Value::parse("[true,1]").unwrap())
            .unwrap_err()
            .contains("item 1 that must be a boolean"));
    }
}
