//! The imports of docs/ABI.md, and what stands in for them on other targets.

use crate::{Code, Error};
use alloc::borrow::Cow;
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

/// How much a log line matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// For who looks for a fault.
    Debug,
    /// News.
    Info,
    /// Something is odd.
    Warn,
    /// Something failed.
    Error,
}

/// Writes one line to the host's log. The host bounds what a call may log.
pub fn log(level: Level, line: &str) {
    imports::log(level as i32, line);
}

/// Tells the caller how far the call is. `total` is 0 when it is not known; the message may
/// be empty. Each report must be greater than the last.
pub fn progress(progress: f64, total: f64, message: &str) {
    imports::progress(progress, total, message);
}

/// Splits an answer of the host and fetches its reply.
pub(crate) fn answer(packed: u64) -> Result<Vec<u8>, Error> {
    let (code, size) = ((packed >> 32) as u32, packed as u32);
    let mut reply = vec![0; size as usize];
    if size > 0 {
        imports::reply(&mut reply);
    }
    if code == 0 {
        return Ok(reply);
    }
    let message = String::from_utf8_lossy(&reply).into_owned();
    Err(Error::new(Cow::Borrowed(Code::of(code).name()), message))
}

/// Cuts size bytes off a reply.
pub(crate) fn take<'a>(rest: &mut &'a [u8], size: usize) -> Result<&'a [u8], Error> {
    if rest.len() < size {
        return Err(Error::new("bad_host", format!("a reply of the host is {} bytes too short", size - rest.len())));
    }
    let (head, tail) = rest.split_at(size);
    *rest = tail;
    Ok(head)
}

/// Cuts a number off a reply.
pub(crate) fn take_number(rest: &mut &[u8], size: usize) -> Result<u64, Error> {
    Ok(take(rest, size)?.iter().rev().fold(0, |n, b| n << 8 | u64::from(*b)))
}

#[cfg(target_arch = "wasm32")]
pub(crate) mod imports {
    mod raw {
        #[link(wasm_import_module = "ingot")]
        unsafe extern "C" {
            #[link_name = "log"]
            pub fn log(level: i32, at: *const u8, size: usize);
            #[link_name = "progress"]
            pub fn progress(progress: f64, total: f64, at: *const u8, size: usize);
            #[link_name = "reply"]
            pub fn reply(to: *mut u8);
            #[link_name = "state_get"]
            pub fn state_get(key: *const u8, key_size: usize) -> u64;
            #[link_name = "state_set"]
            pub fn state_set(
                key: *const u8,
                key_size: usize,
                value: *const u8,
                value_size: usize,
                ttl_millis: i64,
                if_version: i64,
            ) -> u64;
            #[link_name = "state_delete"]
            pub fn state_delete(key: *const u8, key_size: usize, if_version: i64) -> u64;
            #[link_name = "state_increment"]
            pub fn state_increment(key: *const u8, key_size: usize, delta: i64, ttl_millis: i64) -> u64;
            #[link_name = "state_list"]
            pub fn state_list(
                prefix: *const u8,
                prefix_size: usize,
                after: *const u8,
                after_size: usize,
                limit: i32,
            ) -> u64;
            #[link_name = "http_request"]
            pub fn http_request(head: *const u8, head_size: usize, body: *const u8, body_size: usize) -> u64;
        }
    }

    pub fn log(level: i32, line: &str) {
        unsafe { raw::log(level, line.as_ptr(), line.len()) }
    }
    pub fn progress(progress: f64, total: f64, message: &str) {
        unsafe { raw::progress(progress, total, message.as_ptr(), message.len()) }
    }
    /// Fills to, whose length is that of the reply.
    pub fn reply(to: &mut [u8]) {
        unsafe { raw::reply(to.as_mut_ptr()) }
    }
    pub fn state_get(key: &str) -> u64 {
        unsafe { raw::state_get(key.as_ptr(), key.len()) }
    }
    pub fn state_set(key: &str, value: &[u8], ttl_millis: i64, if_version: i64) -> u64 {
        unsafe { raw::state_set(key.as_ptr(), key.len(), value.as_ptr(), value.len(), ttl_millis, if_version) }
    }
    pub fn state_delete(key: &str, if_version: i64) -> u64 {
        unsafe { raw::state_delete(key.as_ptr(), key.len(), if_version) }
    }
    pub fn state_increment(key: &str, delta: i64, ttl_millis: i64) -> u64 {
        unsafe { raw::state_increment(key.as_ptr(), key.len(), delta, ttl_millis) }
    }
    pub fn state_list(prefix: &str, after: &str, limit: u32) -> u64 {
        unsafe { raw::state_list(prefix.as_ptr(), prefix.len(), after.as_ptr(), after.len(), limit as i32) }
    }
    pub fn http_request(head: &str, body: &[u8]) -> u64 {
        unsafe { raw::http_request(head.as_ptr(), head.len(), body.as_ptr(), body.len()) }
    }
}

/// A host without policy and limits: its state is a map that lasts as long as the thread,
/// times to live are not looked at, HTTP is unavailable.
#[cfg(not(target_arch = "wasm32"))]
pub(crate) mod imports {
    use super::*;
    use std::cell::RefCell;
    use std::collections::BTreeMap;
    use std::eprintln;

    #[derive(Default)]
    struct StandIn {
        values: BTreeMap<String, (u64, Vec<u8>)>,
        version: u64,
        reply: Vec<u8>,
    }

    impl StandIn {
        fn ok(&mut self, reply: Vec<u8>) -> u64 {
            self.reply = reply;
            self.reply.len() as u64
        }
        fn fail(&mut self, code: Code, message: String) -> u64 {
            self.reply = message.into_bytes();
            (code as u64 + 1) << 32 | self.reply.len() as u64
        }
        fn put(&mut self, key: &str, value: Vec<u8>) -> u64 {
            self.version += 1;
            self.values.insert(key.into(), (self.version, value));
            self.version
        }
        fn version_of(&self, key: &str) -> u64 {
            self.values.get(key).map_or(0, |(version, _)| *version)
        }
        fn conflict(&mut self, key: &str) -> u64 {
            let found = self.version_of(key);
            self.fail(Code::Conflict, format!("key {key:?} is at version {found}"))
        }
    }

    std::thread_local! {
        static HOST: RefCell<StandIn> = RefCell::default();
    }

    fn host<T>(f: impl FnOnce(&mut StandIn) -> T) -> T {
        HOST.with(|h| f(&mut h.borrow_mut()))
    }

    pub fn log(level: i32, line: &str) {
        eprintln!("log level {level}: {line}");
    }
    pub fn progress(progress: f64, total: f64, message: &str) {
        eprintln!("progress {progress} of {total}: {message}");
    }
    pub fn reply(to: &mut [u8]) {
        host(|h| to.copy_from_slice(&h.reply));
    }
    pub fn state_get(key: &str) -> u64 {
        host(|h| match h.values.get(key) {
            Some((version, value)) => {
                let reply = [&version.to_le_bytes(), value.as_slice()].concat();
                h.ok(reply)
            }
            None => h.fail(Code::NotFound, format!("there is no key {key:?}")),
        })
    }
    pub fn state_set(key: &str, value: &[u8], _ttl_millis: i64, if_version: i64) -> u64 {
        host(|h| {
            if if_version >= 0 && h.version_of(key) != if_version as u64 {
                return h.conflict(key);
            }
            let version = h.put(key, value.into());
            h.ok(version.to_le_bytes().into())
        })
    }
    pub fn state_delete(key: &str, if_version: i64) -> u64 {
        host(|h| match h.version_of(key) {
            0 => h.fail(Code::NotFound, format!("there is no key {key:?}")),
            found if if_version >= 0 && found != if_version as u64 => h.conflict(key),
            _ => {
                h.values.remove(key);
                h.ok(vec![])
            }
        })
    }
    pub fn state_increment(key: &str, delta: i64, _ttl_millis: i64) -> u64 {
        host(|h| {
            let now = match h.values.get(key) {
                None => Some(0),
                Some((_, value)) => core::str::from_utf8(value).ok().and_then(|text| text.parse::<i64>().ok()),
            };
            match now.and_then(|n| n.checked_add(delta)) {
                Some(sum) => {
                    h.put(key, format!("{sum}").into_bytes());
                    h.ok(sum.to_le_bytes().into())
                }
                None => {
                    h.fail(Code::Invalid, format!("the value of {key:?} is no number that {delta} can be added to"))
                }
            }
        })
    }
    pub fn state_list(prefix: &str, after: &str, limit: u32) -> u64 {
        host(|h| {
            if limit == 0 {
                return h.fail(Code::Invalid, "the limit must be at least 1".into());
            }
            let mut reply = Vec::new();
            for key in h.values.keys().filter(|k| k.starts_with(prefix) && k.as_str() > after).take(limit as usize) {
                reply.extend((key.len() as u32).to_le_bytes());
                reply.extend(key.bytes());
            }
            h.ok(reply)
        })
    }
    pub fn http_request(_head: &str, _body: &[u8]) -> u64 {
        host(|h| {
            h.fail(
                Code::Unavailable,
                "there is no host here that could make HTTP requests: this is a native test".into(),
            )
        })
    }
}
