//! The allocator against a model: blocks that live keep their bytes, never overlap, and are all given back.

use std::collections::BTreeMap;

use proptest::prelude::*;
use rquickjs::qjs;

use super::*;

/// An arena and its five functions.
struct Subject {
    arena: Arena,
    functions: qjs::JSMallocFunctions,
}

impl Subject {
    fn new(limit: usize) -> Self {
        let mut arena = Arena::reserve(limit).unwrap();
        arena.limit(limit);
        Self { arena, functions: functions() }
    }

    fn base(&self) -> *mut core::ffi::c_void {
        self.arena.base().as_ptr().cast()
    }

    fn malloc(&self, bytes: usize) -> *mut u8 {
        // SAFETY: the arena's own function and base.
        unsafe { self.functions.js_malloc.unwrap()(self.base(), bytes as u64).cast() }
    }

    fn calloc(&self, count: usize, bytes: usize) -> *mut u8 {
        // SAFETY: as above.
        unsafe { self.functions.js_calloc.unwrap()(self.base(), count as u64, bytes as u64).cast() }
    }

    fn realloc(&self, block: *mut u8, bytes: usize) -> *mut u8 {
        // SAFETY: as above; the block is one that lives.
        unsafe { self.functions.js_realloc.unwrap()(self.base(), block.cast(), bytes as u64).cast() }
    }

    fn free(&self, block: *mut u8) {
        // SAFETY: as above.
        unsafe { self.functions.js_free.unwrap()(self.base(), block.cast()) }
    }

    fn size(&self, block: *mut u8) -> usize {
        // SAFETY: as above.
        unsafe { self.functions.js_malloc_usable_size.unwrap()(block.cast()) as usize }
    }
}

fn bytes<'a>(block: *mut u8, length: usize) -> &'a mut [u8] {
    // SAFETY: a block that lives, of at least that length.
    unsafe { std::slice::from_raw_parts_mut(block, length) }
}

#[derive(Debug, Clone)]
enum Step {
    Malloc(usize),
    Calloc(usize),
    Realloc(usize, usize),
    Free(usize),
}

fn size() -> impl Strategy<Value = usize> {
    prop_oneof![4 => 1usize..2_100, 3 => 2_000usize..20_000, 1 => 100_000usize..900_000]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => size().prop_map(Step::Malloc),
        2 => size().prop_map(Step::Calloc),
        2 => (any::<usize>(), size()).prop_map(|(which, bytes)| Step::Realloc(which, bytes)),
        3 => any::<usize>().prop_map(Step::Free),
    ]
}

/// Blocks by address: their length, and the byte that fills them.
type Model = BTreeMap<usize, (usize, u8)>;

fn pick(model: &Model, which: usize) -> Option<(usize, (usize, u8))> {
    model.iter().nth(which % model.len().max(1)).map(|(at, block)| (*at, *block))
}

fn keep(subject: &Subject, model: &mut Model, block: *mut u8, length: usize, fill: u8) {
    if block.is_null() {
        assert!(subject.arena.refused());
        return;
    }
    assert_eq!(block as usize % 16, 0);
    assert!(subject.size(block) >= length);
    let (start, usable) = (block as usize, subject.size(block));
    let before = model.range(..start).next_back().is_none_or(|(at, (length, _))| at + length <= start);
    let after = model.range(start..).next().is_none_or(|(at, _)| start + usable <= *at);
    assert!(before && after, "blocks overlap");
    bytes(block, length).fill(fill);
    model.insert(start, (length, fill));
}

fn take(subject: &Subject, model: &mut Model, step: &Step, fill: u8) {
    match *step {
        Step::Malloc(length) => keep(subject, model, subject.malloc(length), length, fill),
        Step::Calloc(length) => {
            let block = subject.calloc(1, length);
            assert!(block.is_null() || bytes(block, length).iter().all(|byte| *byte == 0));
            keep(subject, model, block, length, fill);
        }
        Step::Realloc(which, length) => {
            let Some((at, (before, old))) = pick(model, which) else { return };
            let block = subject.realloc(at as *mut u8, length);
            if !block.is_null() {
                model.remove(&at);
                assert!(bytes(block, before.min(length)).iter().all(|byte| *byte == old), "realloc lost bytes");
                keep(subject, model, block, length, fill);
            }
        }
        Step::Free(which) => {
            let Some((at, (length, fill))) = pick(model, which) else { return };
            assert!(bytes(at as *mut u8, length).iter().all(|byte| *byte == fill), "somebody wrote into a block");
            model.remove(&at);
            subject.free(at as *mut u8);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn blocks_are_whole_and_all_come_back(steps in proptest::collection::vec(step(), 1..400)) {
        let subject = Subject::new(8 << 20);
        let empty = (subject.arena.live_bytes(), subject.arena.top_bytes());
        let mut model = Model::new();
        for (fill, step) in (1..=250u8).cycle().zip(&steps) {
            take(&subject, &mut model, step, fill);
        }
        for (at, (length, fill)) in model {
            prop_assert!(bytes(at as *mut u8, length).iter().all(|byte| *byte == fill));
            subject.free(at as *mut u8);
        }
        prop_assert_eq!((subject.arena.live_bytes(), subject.arena.top_bytes()), empty);
    }
}

#[test]
fn nonsense_is_refused_with_null() {
    let subject = Subject::new(8 << 20);
    for bytes in [9 << 20, 1 << 40, usize::MAX, usize::MAX - PAGE, isize::MAX as usize] {
        assert!(subject.malloc(bytes).is_null(), "{bytes}");
        assert!(subject.calloc(1, bytes).is_null(), "{bytes}");
    }
    assert!(subject.calloc(1 << 33, 1 << 33).is_null(), "a product that overflows");
    assert!(subject.arena.refused());
    let block = subject.malloc(5_000);
    assert!(subject.realloc(block, usize::MAX).is_null());
    assert_eq!(subject.size(block), 2 * PAGE, "a block whose growth was refused is as it was");
}

#[test]
fn the_limit_counts_pages_in_use() {
    let subject = Subject::new(8 << 20);
    let blocks: Vec<_> =
        std::iter::repeat_with(|| subject.malloc(64 << 10)).take_while(|block| !block.is_null()).collect();
    assert!((110..=128).contains(&blocks.len()), "{}", blocks.len());
    assert!(subject.arena.peak_bytes() <= 8 << 20);
    for block in blocks {
        subject.free(block);
    }
    assert!(!subject.malloc(7 << 20).is_null(), "what was given back can be had again, in one piece");
}

#[test]
fn runs_grow_where_they_stand() {
    let subject = Subject::new(8 << 20);
    let block = subject.malloc(3 * PAGE);
    assert_eq!(subject.realloc(block, 40 * PAGE), block, "at the top");
    let wall = subject.malloc(PAGE);
    assert_ne!(subject.realloc(block, 80 * PAGE), block, "walled in");
    subject.free(wall);
}
