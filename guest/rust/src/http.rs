//! HTTP requests that the host makes for the tool, to the hosts that its policy grants.

use crate::host::{answer, imports, take, take_number};
use crate::json::{write_string, Value};
use crate::Error;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// A request. `Request { url, ..Default::default() }` is a GET.
#[derive(Debug, Clone, Default)]
pub struct Request<'a> {
    /// GET when it is empty.
    pub method: &'a str,
    /// http or https.
    pub url: &'a str,
    /// Names and values.
    pub headers: &'a [(&'a str, &'a str)],
    /// What is sent.
    pub body: &'a [u8],
    /// Bounds this request; 0 is the host's own.
    pub timeout_millis: u64,
}

/// What came back, whatever its status.
#[derive(Debug, Clone, PartialEq)]
pub struct Response {
    /// Such as 200.
    pub status: u16,
    /// Names in lower case, and values.
    pub headers: Vec<(String, String)>,
    /// What was received.
    pub body: Vec<u8>,
}

impl Response {
    /// A header by its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }
}

/// Makes a request. A status of 400 and above is no error. Fails with `Denied` for an address
/// that is not granted, `Limit`, `Invalid`, `Unavailable` when there is no answer, `Timeout`.
pub fn request(r: Request) -> Result<Response, Error> {
    let reply = answer(imports::http_request(&head(&r), r.body))?;
    let mut rest = reply.as_slice();
    let size = take_number(&mut rest, 4)? as usize;
    let text = core::str::from_utf8(take(&mut rest, size)?).map_err(bad_host)?;
    let head = Value::parse(text).map_err(bad_host)?;
    let Some(Value::Integer(status)) = head.get("status") else {
        return Err(bad_host("it has no status"));
    };
    let headers = match head.get("headers") {
        Some(Value::Object(members)) => {
            members.iter().filter_map(|(name, value)| Some((name.clone(), value.as_str()?.into()))).collect()
        }
        _ => Vec::new(),
    };
    Ok(Response { status: *status as u16, headers, body: rest.into() })
}

fn bad_host(wrong: impl core::fmt::Display) -> Error {
    Error::new("bad_host", format!("the host's answer to http_request is not what docs/ABI.md has: {wrong}"))
}

/// The head of a request, as JSON.
fn head(r: &Request) -> String {
    let mut out = String::from(r#"{"method":"#);
    write_string(if r.method.is_empty() { "GET" } else { r.method }, &mut out);
    out.push_str(r#","url":"#);
    write_string(r.url, &mut out);
    out.push_str(r#","headers":{"#);
    for (i, (name, value)) in r.headers.iter().enumerate() {
        if i > 0 {
            out.push(',');
        }
        write_string(name, &mut out);
        out.push(':');
        write_string(value, &mut out);
    }
    out.push('}');
    if r.timeout_millis > 0 {
        out.push_str(&format!(r#","timeoutMillis":{}"#, r.timeout_millis));
    }
    out + "}"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Code;

    #[test]
    fn heads() {
        let r =
            Request { url: "http://a/\"", headers: &[("X", "1"), ("Y", "2")], timeout_millis: 5, ..Default::default() };
        assert_eq!(head(&r), r#"{"method":"GET","url":"http://a/\"","headers":{"X":"1","Y":"2"},"timeoutMillis":5}"#);
        assert!(request(r).unwrap_err().is(Code::Unavailable));
    }
}
