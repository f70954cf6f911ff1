/// Makes the module's exports of one function, `fn(Args) -> Result<Answer, Error>`, whose
/// argument and answer are records.
///
/// ```text
/// tool! {
///     name: "shout",                               // A-Z a-z 0-9 _ -
///     title: "Shout",                              // optional, for people
///     description: "Turns a text to upper case.",  // for the model that chooses
///     hints: [read_only, idempotent],              // optional: say only what is so
///     call: shout,
/// }
/// ```
///
/// The hints are `read_only`, `destructive`, `idempotent` and `open_world`; with a list, each
/// that is not in it is said to be false. The module `tool_entry` that it makes has
/// `describe()` and `call(json)` for native tests.
#[macro_export]
macro_rules! tool {
    (name: $name:literal, $(title: $title:literal,)? description: $description:literal, $(hints: [$($hint:ident),* $(,)?],)? call: $call:path $(,)?) => {
        /// The tool as its host sees it.
        pub mod tool_entry {
            #[allow(unused_imports)]
            use super::*;
            use $crate::__private::{self, String};

            /// The description, as JSON.
            pub fn describe() -> String {
                #[allow(unused_mut, unused_assignments)]
                let mut title = "";
                $(title = $title;)?
                #[allow(unused_mut, unused_assignments)]
                let mut hints: Option<&[&str]> = None;
                $(hints = Some(&[$(stringify!($hint)),*]);)?
                __private::describe($name, title, $description, hints, $call)
            }

            /// Runs the tool on JSON arguments.
            pub fn call(args: &str) -> Result<String, $crate::Error> {
                __private::run(args, $call)
            }

            #[cfg(target_arch = "wasm32")]
            mod exports {
                use $crate::__private;
                #[unsafe(export_name = "alloc")]
                extern "C" fn export_alloc(size: usize) -> usize {
                    __private::alloc(size)
                }
                #[unsafe(export_name = "describe")]
                extern "C" fn export_describe() -> u64 {
                    __private::result(Ok(super::describe()))
                }
                #[unsafe(export_name = "call")]
                extern "C" fn export_call(at: usize, size: usize) -> u64 {
                    __private::result(__private::arguments(at, size).and_then(|args| super::call(&args)))
                }
            }
        }
    };
}

/// What the macros expand to calls of.
#[doc(hidden)]
pub mod __private {
    pub use alloc::string::String;

    use crate::json::{write_string, Value};
    use crate::{Error, Field};
    use alloc::format;
    use alloc::vec::Vec;

    /// Writes the schema of an object, member by member.
    pub struct ObjectSchema<'a> {
        out: &'a mut String,
        required: Vec<&'static str>,
        members: usize,
        /// Where the rules of the last member start.
        start: usize,
    }

    impl<'a> ObjectSchema<'a> {
        pub fn new(out: &'a mut String) -> Self {
            out.push_str(r#""type":"object","properties":{"#);
            ObjectSchema { out, required: Vec::new(), members: 0, start: 0 }
        }

        pub fn member(&mut self, name: &'static str, required: bool, schema: fn(&mut String)) {
            if self.members > 0 {
                self.out.push_str("},");
            }
            self.members += 1;
            write_string(name, self.out);
            self.out.push_str(":{");
            self.start = self.out.len();
            schema(self.out);
            if required {
                self.required.push(name);
            }
        }

        pub fn about(&mut self, lines: &[&str]) {
            if !lines.is_empty() {
                let trimmed: Vec<&str> = lines.iter().map(|l| l.trim()).collect();
                self.out.push_str(r#","description":"#);
                write_string(&trimmed.join(" "), self.out);
            }
        }

        pub fn rule(&mut self, name: &str, limit: &str) {
            // An unsigned type has a minimum of its own, which gives way.
            const OWN: &str = r#""type":"integer","minimum":0"#;
            if name == "minimum" && self.out[self.start..].starts_with(OWN) {
                let end = self.start + OWN.len();
                self.out.replace_range(end - r#","minimum":0"#.len()..end, "");
            }
            self.out.push(',');
            write_string(name, self.out);
            self.out.push(':');
            self.out.push_str(limit);
        }

        pub fn end(self) {
            self.out.push_str(if self.members > 0 { "}}" } else { "}" });
            for (i, name) in self.required.iter().enumerate() {
                self.out.push_str(if i == 0 { r#","required":["# } else { "," });
                write_string(name, self.out);
            }
            if !self.required.is_empty() {
                self.out.push(']');
            }
            self.out.push_str(r#","additionalProperties":false"#);
        }
    }

    /// Refuses what is no object, or has members of other names.
    pub fn known(value: &Value, names: &[&str]) -> Result<(), String> {
        let Value::Object(members) = value else {
            return Err(format!("must be an object, not {}", value.kind()));
        };
        match members.iter().find(|(name, _)| !names.contains(&name.as_str())) {
            Some((name, _)) => Err(format!("has the member {name}, which is not known")),
            None => Ok(()),
        }
    }

    /// Reads one member of an object.
    pub fn member<T: Field>(object: &Value, name: &str) -> Result<T, String> {
        match object.get(name) {
            Some(value) => T::read(value).map_err(|wrong| format!("has a member {name} that {wrong}")),
            None => T::absent().ok_or_else(|| format!("lacks the member {name}")),
        }
    }

    /// Appends one member of the object that starts at start.
    pub fn put<T: Field>(out: &mut String, start: usize, name: &str, value: &T) {
        if value.is_absent() {
            return;
        }
        out.push(if out.len() == start { '{' } else { ',' });
        write_string(name, out);
        out.push(':');
        value.write(out);
    }

    /// Ends the object that starts at start.
    pub fn close(out: &mut String, start: usize) {
        if out.len() == start {
            out.push('{');
        }
        out.push('}');
    }

    /// The description of a tool; call is there for its types.
    pub fn describe<A: Field, R: Field>(
        name: &str,
        title: &str,
        description: &str,
        hints: Option<&[&str]>,
        _call: fn(A) -> Result<R, Error>,
    ) -> String {
        let mut out = String::from(r#"{"name":"#);
        write_string(name, &mut out);
        if !title.is_empty() {
            out.push_str(r#","title":"#);
            write_string(title, &mut out);
        }
        out.push_str(r#","description":"#);
        write_string(description, &mut out);
        out.push_str(r#","inputSchema":{"#);
        A::schema(&mut out);
        out.push_str(r#"},"outputSchema":{"#);
        R::schema(&mut out);
        out.push('}');
        if let Some(said) = hints {
            let annotations = [
                ("read_only", "readOnlyHint"),
                ("destructive", "destructiveHint"),
                ("idempotent", "idempotentHint"),
                ("open_world", "openWorldHint"),
            ];
            if let Some(unknown) = said.iter().find(|s| !annotations.iter().any(|(hint, _)| hint == *s)) {
                panic!("tool!: {unknown} is no hint");
            }
            for (i, (hint, annotation)) in annotations.iter().enumerate() {
                out.push_str(if i == 0 { r#","annotations":{"# } else { "," });
                write_string(annotation, &mut out);
                out.push_str(if said.contains(hint) { ":true" } else { ":false" });
            }
            out.push('}');
        }
        out + "}"
    }

    /// Reads the arguments, runs the tool, writes its answer.
    pub fn run<A: Field, R: Field>(args: &str, call: fn(A) -> Result<R, Error>) -> Result<String, Error> {
        let args = Value::parse(args).map_err(|wrong| Error::new("bad_arguments", wrong))?;
        let args =
            A::read(&args).map_err(|wrong| Error::new("bad_arguments", format!("the argument object {wrong}")))?;
        let mut out = String::new();
        call(args)?.write(&mut out);
        Ok(out)
    }

    #[cfg(target_arch = "wasm32")]
    pub use exports::*;

    #[cfg(target_arch = "wasm32")]
    mod exports {
        use super::*;
        use core::cell::UnsafeCell;

        /// What the host may still read or write. A module has one thread.
        struct Kept(UnsafeCell<Vec<u8>>);
        unsafe impl Sync for Kept {}
        static INPUT: Kept = Kept(UnsafeCell::new(Vec::new()));
        static OUTPUT: Kept = Kept(UnsafeCell::new(Vec::new()));

        /// Makes room for the arguments; 0 when there is none.
        pub fn alloc(size: usize) -> usize {
            let mut room = Vec::new();
            if room.try_reserve_exact(size.max(1)).is_err() {
                return 0;
            }
            room.resize(size, 0);
            let at = room.as_mut_ptr() as usize;
            unsafe { *INPUT.0.get() = room };
            at
        }

        /// Takes the arguments, which must lie where alloc said.
        pub fn arguments(at: usize, size: usize) -> Result<String, Error> {
            log_panics();
            let input = core::mem::take(unsafe { &mut *INPUT.0.get() });
            if input.as_ptr() as usize != at || input.len() != size {
                return Err(Error::new("bad_host", "the host passed arguments that are not where alloc put them"));
            }
            String::from_utf8(input).map_err(|_| Error::new("bad_arguments", "the arguments are not UTF-8"))
        }

        /// Packs a result; see docs/ABI.md.
        pub fn result(r: Result<String, Error>) -> u64 {
            let failed = u64::from(r.is_err());
            let text = r.unwrap_or_else(error_object).into_bytes();
            let packed = (text.as_ptr() as u64) << 32 | failed << 31 | text.len() as u64;
            unsafe { *OUTPUT.0.get() = text };
            packed
        }

        fn error_object(e: Error) -> String {
            let message = if e.message.is_empty() { "the tool failed without a message" } else { &e.message };
            let mut out = String::from(r#"{"message":"#);
            write_string(message, &mut out);
            if !e.code.is_empty() {
                out.push_str(r#","code":"#);
                write_string(&e.code, &mut out);
            }
            out + "}"
        }

        /// A panic ends the instance; its message goes to the log first.
        fn log_panics() {
            #[cfg(feature = "std")]
            std::panic::set_hook(std::boxed::Box::new(|info| {
                crate::log(crate::Level::Error, &format!("{info}"));
            }));
        }
    }
}
