//! The same scripts under heaps of every size, from one that holds nothing more than its image on: no signal, no hang, and
//! a run that answers or says that it ran out of memory.

use super::{sweep::SCRIPTS, *};

const SIZES: usize = 139;
const STEP_BYTES: usize = 2 << 10;

#[test]
fn a_heap_may_have_any_size() {
    let (mut ends, mut answers) = (0, 0);
    for script in SCRIPTS {
        let files = [("api/main.js", *script), ("api/lib.js", "exports.name = 'lib'")];
        let mut bench = Bench::with(&files, FreshState::Image, LIMITS);
        let image = bench.engine.runtime.arena().live_bytes();
        for size in 0..SIZES {
            bench.engine.renew();
            bench.engine.runtime.arena_mut().limit(image + size * STEP_BYTES);
            let finished = bench.serve();
            let refused = bench.engine.runtime.arena().refused();
            match &finished.outcome {
                Outcome::Reply(_) => answers += 1,
                Outcome::Memory(_) => ends += 1,
                other => assert!(!refused, "{script} with {size} steps: {other:?}"),
            }
            assert_eq!(finished.retire, refused, "{script} with {size} steps: a poisoned run retires its worker");
            let high = bench.engine.runtime.arena().high_bytes();
            bench.engine.renew();
            let image = bench.engine.image.as_ref().unwrap();
            assert_eq!(image.difference(high), None, "{script} with {size} steps");
        }
    }
    assert!(ends > 100 && answers > 100, "{ends} ran out of memory, {answers} answered");
}
