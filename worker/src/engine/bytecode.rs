//! Source to bytecode, in a scratch runtime that is dropped: the parser's garbage never enters the heap of an image.
//!
//! The bytecode is read back by this same process and by nobody else: the engine does not verify it.
#![expect(unsafe_code, reason = "the engine is a C library; this is where its rules are kept")]

use core::ffi::c_int;
use std::{ffi::CString, slice};

use rquickjs::qjs;

use super::{
    realm::Realm,
    trouble::{Trouble, describe},
};

/// What a parser may use; far above what a source file of the largest size needs (26 to 36 MiB, docs/capacity.md), and with
/// an arena well below what the kernel lets a worker have.
const MEMORY_BYTES: usize = 96 << 20;
/// The parser's own recursion.
const STACK_BYTES: usize = 512 << 10;

/// How a text is to be understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// A script, whose completion value counts.
    Script,
    /// A CommonJS module: the body of a function of `exports`, `require`, `module`, `__filename` and `__dirname`.
    Module,
    /// A file of our own, without its source.
    Prelude,
}

/// Why there is no code.
#[derive(Debug, Clone)]
pub(crate) enum Fault {
    /// The text is none.
    Wrong(Trouble),
    /// The compiler had no memory: it says nothing about the text.
    OutOfMemory,
}

struct Scratch {
    runtime: *mut qjs::JSRuntime,
    context: *mut qjs::JSContext,
}

/// Compiles `source`, which errors call `name`.
pub(crate) fn compile(source: &str, name: &str, form: Form) -> Result<Vec<u8>, Fault> {
    let scratch = Scratch::new().ok_or(Fault::OutOfMemory)?;
    let flags = match form {
        Form::Script | Form::Module => qjs::JS_WRITE_OBJ_BYTECODE,
        // Functions of the prelude say `[native code]`.
        Form::Prelude => qjs::JS_WRITE_OBJ_BYTECODE | qjs::JS_WRITE_OBJ_STRIP_SOURCE,
    };
    let compiled = match form {
        // The wrapper stands on line -1 (0 is taken for none), so that the text begins on line 1.
        Form::Module => {
            let wrapped = format!("(function (exports, require, module, __filename, __dirname) {{\n\n{source}\n}})");
            scratch.bytecode(&wrapped, name, -1, flags)
        }
        Form::Script | Form::Prelude => scratch.bytecode(source, name, 1, flags),
    };
    compiled.map_err(|fault| match fault {
        Fault::Wrong(trouble) => Fault::Wrong(explain(source, name, form, trouble)),
        Fault::OutOfMemory => Fault::OutOfMemory,
    })
}

/// Says what is wrong where the text would be right in another form.
fn explain(source: &str, name: &str, form: Form, trouble: Trouble) -> Trouble {
    let parses = |flags| Scratch::new().is_some_and(|scratch| scratch.parses(source, name, flags));
    if parses(qjs::JS_EVAL_TYPE_MODULE) && !parses(qjs::JS_EVAL_FLAG_ASYNC) {
        let message = format!(
            "SyntaxError: {name} is an ES module (it has `import` or `export`), which is not supported yet; write a script, \
             whose last value is the answer, or a CommonJS module: module.exports = async function (request) {{ … }}"
        );
        return Trouble { message, ..trouble };
    }
    if form == Form::Script && parses(qjs::JS_EVAL_FLAG_ASYNC) {
        let message = format!(
            "SyntaxError: {name} has an `await` outside of any function, which is not valid in a script; write \
             module.exports = async function (request) {{ … }} and await there"
        );
        return Trouble { message, ..trouble };
    }
    trouble
}

impl Scratch {
    fn new() -> Option<Self> {
        // SAFETY: a new runtime over malloc, and a context in it; freed when dropped.
        unsafe {
            let runtime = qjs::JS_NewRuntime();
            if runtime.is_null() {
                return None;
            }
            qjs::JS_SetMaxStackSize(runtime, STACK_BYTES as _);
            let context = qjs::JS_NewContext(runtime);
            if context.is_null() {
                qjs::JS_FreeRuntime(runtime);
                return None;
            }
            qjs::JS_SetMemoryLimit(runtime, memory_bytes() as _);
            Some(Self { runtime, context })
        }
    }

    /// Parses a text without running it. The engine reads up to the NUL that is put behind it.
    fn parse(&self, source: &str, name: &str, line: c_int, flags: u32) -> qjs::JSValue {
        let mut text = source.as_bytes().to_vec();
        text.push(0);
        let name = CString::new(name).unwrap_or_default();
        let mut options = qjs::JSEvalOptions {
            version: qjs::JS_EVAL_OPTIONS_VERSION as c_int,
            eval_flags: (flags | qjs::JS_EVAL_FLAG_COMPILE_ONLY) as c_int,
            filename: name.as_ptr(),
            line_num: line,
        };
        // SAFETY: text, name and options live through the call.
        unsafe { qjs::JS_Eval2(self.context, text.as_ptr().cast(), source.len() as _, &raw mut options) }
    }

    fn parses(&self, source: &str, name: &str, flags: u32) -> bool {
        // SAFETY: the scratch context lives through the visit.
        let realm = unsafe { Realm::visit(self.context) };
        // An import is looked for as soon as a module is parsed, and there is nobody here to find it.
        realm.check(self.parse(source, name, 1, flags)).is_ok()
            || describe(&realm.exception(), None).message.contains("could not load module")
    }

    fn bytecode(&self, source: &str, name: &str, line: c_int, write: u32) -> Result<Vec<u8>, Fault> {
        // SAFETY: the scratch context lives through the visit.
        let realm = unsafe { Realm::visit(self.context) };
        let Ok(code) = realm.check(self.parse(source, name, line, qjs::JS_EVAL_TYPE_GLOBAL)) else {
            return Err(fault(realm));
        };
        let mut size = 0;
        // SAFETY: the buffer has `size` bytes, is copied and given back to the runtime that made it.
        unsafe {
            let written = qjs::JS_WriteObject(self.context, &raw mut size, code.raw(), write as c_int);
            if written.is_null() {
                return Err(fault(realm));
            }
            let bytes = slice::from_raw_parts(written, size as usize).to_vec();
            qjs::js_free(self.context, written.cast());
            Ok(bytes)
        }
    }
}

/// What the pending exception says. No code of an app has run here, so nobody else can have made it.
fn fault(realm: Realm<'_>) -> Fault {
    let thrown = realm.exception();
    let trouble = describe(&thrown, None);
    // Where not even the error could be made, the engine throws `null`.
    if !thrown.is_object() || trouble.message == "InternalError: out of memory" {
        Fault::OutOfMemory
    } else {
        Fault::Wrong(trouble)
    }
}

#[cfg(not(test))]
fn memory_bytes() -> usize {
    MEMORY_BYTES
}

#[cfg(test)]
fn memory_bytes() -> usize {
    tests::MEMORY.get()
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // SAFETY: both are ours, and no value of theirs is left.
        unsafe {
            qjs::JS_FreeContext(self.context);
            qjs::JS_FreeRuntime(self.runtime);
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::cell::Cell;

    use super::*;

    thread_local! {
        /// What a parser may use, for tests that leave it too little.
        pub(crate) static MEMORY: Cell<usize> = const { Cell::new(MEMORY_BYTES) };
    }

    fn wrong(source: &str, name: &str, form: Form) -> Trouble {
        match compile(source, name, form).unwrap_err() {
            Fault::Wrong(trouble) => trouble,
            Fault::OutOfMemory => panic!("{source}"),
        }
    }

    fn fault(source: &str) -> Trouble {
        wrong(source, "api/main.js", Form::Script)
    }

    #[test]
    fn a_syntax_error_knows_its_place() {
        let trouble = fault("let a = 1\nlet b = ;\n");
        assert!(trouble.message.starts_with("SyntaxError"), "{trouble:?}");
        assert_eq!((trouble.file.as_str(), trouble.line), ("api/main.js", 2));
        let module = wrong("\n\nlet = = 1", "api/x.js", Form::Module);
        assert_eq!((module.file.as_str(), module.line), ("api/x.js", 3));
    }

    #[test]
    fn other_forms_are_named() {
        assert!(fault("export default { fetch() {} }").message.contains("ES module"));
        assert!(fault("import x from './x.js'\nx()").message.contains("ES module"));
        assert!(fault("const x = await 1").message.contains("`await` outside"));
    }

    #[test]
    fn parser_bombs_are_errors() {
        for bomb in
            [format!("{}1{}", "(".repeat(200_000), ")".repeat(200_000)), "[".repeat(500_000), "`${".repeat(100_000)]
        {
            assert!(compile(&bomb, "api/main.js", Form::Script).is_err());
        }
        assert!(compile(&"1+".repeat(450_000).add_one(), "api/main.js", Form::Script).is_ok());
    }

    trait AddOne {
        fn add_one(self) -> String;
    }

    impl AddOne for String {
        fn add_one(mut self) -> String {
            self.push('1');
            self
        }
    }
}
