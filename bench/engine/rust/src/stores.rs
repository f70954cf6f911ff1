//! The implementations. Every write stores a copy of the value; a key that the map
//! keeps is copied too, because its insert wants an owned one.

use dashmap::DashMap;
use std::hash::{BuildHasher, RandomState};

pub trait Store: Sync {
    fn insert(&self, key: &str, value: &[u8]);
    fn set(&self, key: &str, value: &[u8]);
    fn delete(&self, key: &str);
    /// Calls `read` with the stored bytes themselves.
    fn borrow<R>(&self, key: &str, read: impl FnOnce(&[u8]) -> R) -> Option<R>;
    /// Calls `write` with the stored bytes; false where the map does not lend them.
    fn overwrite(&self, key: &str, write: impl FnOnce(&mut Vec<u8>)) -> bool {
        let _ = (key, write);
        false
    }
}

pub struct Dash<S>(DashMap<String, Vec<u8>, S>);

impl<S: BuildHasher + Clone + Default> Dash<S> {
    pub fn open() -> Self {
        Dash(DashMap::with_hasher(S::default()))
    }
}

pub type DashDefault = Dash<RandomState>;
pub type DashAhash = Dash<ahash::RandomState>;

impl<S: BuildHasher + Clone + Send + Sync> Store for Dash<S> {
    fn insert(&self, key: &str, value: &[u8]) {
        self.set(key, value);
    }

    #[inline]
    fn set(&self, key: &str, value: &[u8]) {
        self.0.insert(key.to_owned(), value.to_vec());
    }

    #[inline]
    fn delete(&self, key: &str) {
        self.0.remove(key);
    }

    #[inline]
    fn borrow<R>(&self, key: &str, read: impl FnOnce(&[u8]) -> R) -> Option<R> {
        self.0.get(key).map(|value| read(&value))
    }

    #[inline]
    fn overwrite(&self, key: &str, write: impl FnOnce(&mut Vec<u8>)) -> bool {
        self.0.get_mut(key).map(|mut value| write(&mut value)).is_some()
    }
}

pub struct Papaya(papaya::HashMap<String, Vec<u8>, ahash::RandomState>);

impl Papaya {
    pub fn open() -> Self {
        Papaya(papaya::HashMap::builder().hasher(ahash::RandomState::new()).build())
    }
}

impl Store for Papaya {
    fn insert(&self, key: &str, value: &[u8]) {
        self.set(key, value);
    }

    #[inline]
    fn set(&self, key: &str, value: &[u8]) {
        self.0.pin().insert(key.to_owned(), value.to_vec());
    }

    #[inline]
    fn delete(&self, key: &str) {
        self.0.pin().remove(key);
    }

    #[inline]
    fn borrow<R>(&self, key: &str, read: impl FnOnce(&[u8]) -> R) -> Option<R> {
        self.0.pin().get(key).map(|value| read(value))
    }
}

pub struct Scc(scc::HashMap<String, Vec<u8>, ahash::RandomState>);

impl Scc {
    pub fn open() -> Self {
        Scc(scc::HashMap::with_hasher(ahash::RandomState::new()))
    }
}

impl Store for Scc {
    fn insert(&self, key: &str, value: &[u8]) {
        self.set(key, value);
    }

    #[inline]
    fn set(&self, key: &str, value: &[u8]) {
        self.0.upsert_sync(key.to_owned(), value.to_vec());
    }

    #[inline]
    fn delete(&self, key: &str) {
        self.0.remove_sync(key);
    }

    #[inline]
    fn borrow<R>(&self, key: &str, read: impl FnOnce(&[u8]) -> R) -> Option<R> {
        self.0.read_sync(key, |_, value| read(value))
    }

    #[inline]
    fn overwrite(&self, key: &str, write: impl FnOnce(&mut Vec<u8>)) -> bool {
        self.0.update_sync(key, |_, value| write(value)).is_some()
    }
}
