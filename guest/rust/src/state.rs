//! The host's state. Keys are whole: the prefix that the policy grants is part of them.
//!
//! Every function may fail with [`Code::Denied`](crate::Code::Denied), `Limit`, `Invalid` and
//! `Unavailable`, besides what it names.

use crate::host::{answer, imports, take, take_number};
use crate::{Code, Error};
use alloc::string::String;
use alloc::vec::Vec;

/// A value of the state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The bytes.
    pub value: Vec<u8>,
    /// Changes with each write of the key; never 0.
    pub version: u64,
}

/// When a write may happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// In any case.
    Always,
    /// Only while there is no such key.
    Absent,
    /// Only while the key is at this version.
    Version(u64),
}

impl When {
    fn wire(self) -> i64 {
        match self {
            When::Always => -1,
            When::Absent => 0,
            When::Version(version) => version as i64,
        }
    }
}

/// Reads a key; nothing when it is absent.
pub fn get(key: &str) -> Result<Option<Entry>, Error> {
    match answer(imports::state_get(key)) {
        Ok(reply) => {
            let mut rest = reply.as_slice();
            let version = take_number(&mut rest, 8)?;
            Ok(Some(Entry { value: rest.into(), version }))
        }
        Err(e) if e.is(Code::NotFound) => Ok(None),
        Err(e) => Err(e),
    }
}

/// Writes a key and returns its new version. It lives for `ttl_millis`; 0 is for good.
/// Fails with `Conflict` when the condition does not hold.
pub fn set(key: &str, value: &[u8], ttl_millis: u64, when: When) -> Result<u64, Error> {
    let reply = answer(imports::state_set(key, value, ttl_millis as i64, when.wire()))?;
    take_number(&mut reply.as_slice(), 8)
}

/// Removes a key; says whether it was there. Fails with `Conflict` when the condition does
/// not hold, which cannot be `Absent`.
pub fn delete(key: &str, when: When) -> Result<bool, Error> {
    match answer(imports::state_delete(key, when.wire())) {
        Ok(_) => Ok(true),
        Err(e) if e.is(Code::NotFound) => Ok(false),
        Err(e) => Err(e),
    }
}

/// Adds to a decimal number and returns the sum. An absent key counts as 0, and lives for
/// `ttl_millis`; 0 is for good. Fails with `Invalid` when the value is no number, or the sum
/// does not fit.
pub fn increment(key: &str, delta: i64, ttl_millis: u64) -> Result<i64, Error> {
    let reply = answer(imports::state_increment(key, delta, ttl_millis as i64))?;
    Ok(take_number(&mut reply.as_slice(), 8)? as i64)
}

/// Returns at most `limit` keys that begin with `prefix` and are greater than `after`, in
/// byte order. It may return fewer, and returns none only at the end.
pub fn list(prefix: &str, after: &str, limit: u32) -> Result<Vec<String>, Error> {
    let reply = answer(imports::state_list(prefix, after, limit))?;
    let mut rest = reply.as_slice();
    let mut keys = Vec::new();
    while !rest.is_empty() {
        let size = take_number(&mut rest, 4)? as usize;
        keys.push(String::from_utf8_lossy(take(&mut rest, size)?).into_owned());
    }
    Ok(keys)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    #[test]
    fn conditions() {
        assert_eq!(get("a/1"), Ok(None));
        let first = set("a/1", b"one", 0, When::Absent).unwrap();
        assert!(set("a/1", b"two", 0, When::Absent).unwrap_err().is(Code::Conflict));
        let second = set("a/1", b"two", 0, When::Version(first)).unwrap();
        assert!(delete("a/1", When::Version(first)).unwrap_err().is(Code::Conflict));
        assert_eq!(get("a/1"), Ok(Some(Entry { value: b"two".to_vec(), version: second })));
        assert_eq!(delete("a/1", When::Always), Ok(true));
        assert_eq!(delete("a/1", When::Always), Ok(false));
    }

    #[test]
    fn numbers_and_lists() {
        assert_eq!(increment("n/b", -3, 0), Ok(-3));
        assert_eq!(increment("n/b", 5, 0), Ok(2));
        assert!(increment("n/b", i64::MAX, 0).unwrap_err().is(Code::Invalid));
        set("n/a", b"word", 1, When::Always).unwrap();
        assert!(increment("n/a", 1, 0).unwrap_err().is(Code::Invalid));
        assert_eq!(list("n/", "", 1), Ok(vec!["n/a".into()]));
        assert_eq!(list("n/", "n/a", 9), Ok(vec!["n/b".into()]));
        assert_eq!(list("n/", "n/b", 9), Ok(vec![]));
        assert!(list("n/", "", 0).unwrap_err().is(Code::Invalid));
    }
}
