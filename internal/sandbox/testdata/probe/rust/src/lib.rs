//! The probe in Rust; see ../../go/main.go.
#![allow(non_snake_case)] // the names of arguments

use ingot_guest::http::{request, Request};
use ingot_guest::state::{self, When};
use ingot_guest::{log, progress, record, tool, Code, Error, Level};

record! {
    pub struct Args {
        op: String,
        key: Option<String>,
        value: Option<String>,
        after: Option<String>,
        ifVersion: Option<u64>,
        millis: Option<u64>,
        n: Option<i64>,
        url: Option<String>,
        method: Option<String>,
    }
}

record! {
    pub struct Answer {
        value: Option<String>,
        version: Option<u64>,
        sum: Option<i64>,
        keys: Option<Vec<String>>,
        status: Option<u16>,
        seen: Option<String>,
    }
}

tool! {
    name: "probe",
    description: "Uses one function of the host.",
    call: probe,
}

fn probe(a: Args) -> Result<Answer, Error> {
    let mut answer = Answer {
        value: None,
        version: None,
        sum: None,
        keys: None,
        status: None,
        seen: None,
    };
    let key = a.key.as_deref().unwrap_or("");
    let value = a.value.unwrap_or_default();
    let millis = a.millis.unwrap_or(0);
    let when = match a.ifVersion {
        None => When::Always,
        Some(0) => When::Absent,
        Some(version) => When::Version(version),
    };
    match a.op.as_str() {
        "get" => {
            // An absent key is no error in Rust; the probes agree that it is.
            let entry = state::get(key)?.ok_or_else(|| {
                Error::new(Code::NotFound.name(), format!("there is no key {key:?}"))
            })?;
            answer.value = Some(String::from_utf8_lossy(&entry.value).into());
            answer.version = Some(entry.version);
        }
        "set" => answer.version = Some(state::set(key, value.as_bytes(), millis, when)?),
        "delete" => {
            if !state::delete(key, when)? {
                return Err(Error::new(
                    Code::NotFound.name(),
                    format!("there is no key {key:?}"),
                ));
            }
        }
        "increment" => answer.sum = Some(state::increment(key, a.n.unwrap_or(0), millis)?),
        "list" => {
            answer.keys = Some(state::list(
                key,
                a.after.as_deref().unwrap_or(""),
                a.n.unwrap_or(0) as u32,
            )?)
        }
        "http" => {
            let response = request(Request {
                method: a.method.as_deref().unwrap_or(""),
                url: a.url.as_deref().unwrap_or(""),
                headers: &[("X-Said", "hi")],
                body: value.as_bytes(),
                timeout_millis: millis,
            })?;
            answer.status = Some(response.status);
            answer.seen = response.header("x-seen").map(String::from);
            answer.value = Some(String::from_utf8_lossy(&response.body).into());
        }
        "progress" => {
            progress(1.0, 2.0, "half");
            progress(2.0, 2.0, "");
        }
        "log" => {
            log(Level::Debug, "at debug");
            log(Level::Info, "at info");
            log(Level::Warn, "at warn");
            log(Level::Error, "at error");
        }
        "panic" => panic!("on request"),
        _ => return Err(Error::new("bad_op", "there is no such op")),
    }
    Ok(answer)
}
