//! The prelude: what every app finds in its globals, in JavaScript over native leaves.
//!
//! Compiled once for a process, before any app is known, and evaluated from bytecode in each new context. What the engine
//! itself needs of it afterwards is kept by reference for the context's life.
#![expect(unsafe_code, reason = "references that outlive a visit are given back by hand")]

use std::sync::Arc;

use rquickjs::qjs;

use super::{
    bytecode::{self, Fault, Form},
    realm::{Realm, Thrown},
    trouble::Trouble,
    value::Value,
};
use crate::api;

/// The files, in the order in which they build on each other.
const FILES: &[(&str, &str)] = &[
    ("fazt:define.js", include_str!("../js/define.js")),
    ("fazt:random.js", include_str!("../js/random.js")),
    ("fazt:clock.js", include_str!("../js/clock.js")),
    ("fazt:timers.js", include_str!("../js/timers.js")),
    ("fazt:respond.js", include_str!("../js/respond.js")),
    ("fazt:request.js", include_str!("../js/request.js")),
    ("fazt:require.js", include_str!("../js/require.js")),
    ("fazt:inspect.js", include_str!("../js/inspect.js")),
    ("fazt:console.js", include_str!("../js/console.js")),
    ("fazt:storage.js", include_str!("../js/storage.js")),
    ("fazt:kv.js", include_str!("../js/kv.js")),
    ("fazt:ds.js", include_str!("../js/ds.js")),
    ("fazt:s3.js", include_str!("../js/s3.js")),
    ("fazt:fazt.js", include_str!("../js/fazt.js")),
];

/// The prelude as bytecode. Holds nothing random and no secret, so a zygote may make it for all its children.
#[derive(Debug, Clone)]
pub struct Standard {
    files: Arc<[Vec<u8>]>,
}

/// What the engine keeps of the prelude: references that live as long as the context.
pub(crate) struct Prelude {
    pub(crate) stack_of: qjs::JSValue,
    pub(crate) make_storage_error: qjs::JSValue,
    pub(crate) storage_error_prototype: qjs::JSValue,
    pub(crate) answer_brand: qjs::JSValue,
    pub(crate) last_answer: qjs::JSValue,
    pub(crate) adopt: qjs::JSValue,
    pub(crate) forget_request: qjs::JSValue,
    pub(crate) request: qjs::JSValue,
    pub(crate) carry: qjs::JSValue,
    pub(crate) next_timer: qjs::JSValue,
    pub(crate) fire_timer: qjs::JSValue,
    pub(crate) main_exports: qjs::JSValue,
    pub(crate) introduce: qjs::JSValue,
}

impl Standard {
    /// Compiles the prelude, in a runtime of its own that is dropped.
    ///
    /// # Errors
    /// In words, where the prelude does not compile: out of memory, or a mistake of this build.
    pub fn compile() -> Result<Self, String> {
        let compile = |(name, source): &(&str, &str)| {
            bytecode::compile(source, name, Form::Prelude).map_err(|fault| match fault {
                Fault::Wrong(trouble) => format!("{name}: {}", trouble.message),
                Fault::OutOfMemory => format!("{name}: out of memory"),
            })
        };
        Ok(Self { files: FILES.iter().map(compile).collect::<Result<_, _>>()? })
    }
}

impl Prelude {
    /// Evaluates the prelude in a new context.
    pub(crate) fn evaluate(realm: Realm<'_>, standard: &Standard) -> Result<Self, Trouble> {
        Self::run(realm, standard).map_err(|Thrown| super::trouble::describe(&realm.exception(), None))
    }

    fn run(realm: Realm<'_>, standard: &Standard) -> Result<Self, Thrown> {
        let (host, internal) = (api::host(realm)?, realm.object()?);
        for file in standard.files.iter() {
            realm.run(realm.read(file)?)?.call(&[&host, &internal])?;
        }
        let keep = |name| internal.get(name).map(Value::into_raw);
        Ok(Self {
            stack_of: keep(c"stackOf")?,
            make_storage_error: keep(c"makeStorageError")?,
            storage_error_prototype: keep(c"storageErrorPrototype")?,
            answer_brand: keep(c"answerBrand")?,
            last_answer: keep(c"lastAnswer")?,
            adopt: keep(c"adopt")?,
            forget_request: keep(c"forgetRequest")?,
            request: keep(c"request")?,
            carry: keep(c"carry")?,
            next_timer: keep(c"nextTimer")?,
            fire_timer: keep(c"fireTimer")?,
            main_exports: keep(c"mainExports")?,
            introduce: keep(c"introduce")?,
        })
    }

    /// Tells the prelude whom it works for.
    pub(crate) fn introduce(
        &self,
        realm: Realm<'_>,
        name: &str,
        version: u64,
        env: &[(String, String)],
    ) -> Result<(), Thrown> {
        let list = realm.array()?;
        for (index, text) in (0..).zip(env.iter().flat_map(|(name, value)| [name, value])) {
            list.define_at(index, realm.string(text)?)?;
        }
        let farm = realm.string(env!("CARGO_PKG_VERSION"))?;
        realm.share(self.introduce).call(&[&farm, &realm.string(name)?, &realm.number(version as f64), &list])?;
        Ok(())
    }

    /// Gives the references back, before the context is freed.
    pub(crate) fn release(self, realm: Realm<'_>) {
        let kept = [
            self.stack_of,
            self.make_storage_error,
            self.storage_error_prototype,
            self.answer_brand,
            self.last_answer,
            self.adopt,
            self.forget_request,
            self.request,
            self.carry,
            self.next_timer,
            self.fire_timer,
            self.main_exports,
            self.introduce,
        ];
        for raw in kept {
            // SAFETY: each reference was kept in `run` and is given back once.
            unsafe { qjs::JS_FreeValue(realm.raw(), raw) };
        }
    }
}

impl std::fmt::Debug for Prelude {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Prelude")
    }
}
