//! A worker that has answered has nothing to do: one that computes or grows all the same is noticed, and ended.

use fazt_tests::{
    oracle::Watch,
    process,
    wait::{PATIENCE, eventually, promised, seconds},
};

use crate::impostor::farm_of;

#[test]
fn a_worker_that_is_busy_without_a_request_is_ended() {
    // So many that none is retired for another app's sake.
    let (farm, _programs) = farm_of("strict", 8);
    let watch = Watch::over(&farm);
    for (row, name, what) in [
        ("N09 CPU time", "burn", "computes"),
        ("N10 memory", "grow", "grows"),
        ("N09 a little CPU time at a time", "sip", "computes"),
        ("N10 a little memory at a time", "creep", "grows"),
    ] {
        let told = farm.app("evil").get(&format!("/api/{name}?well"));
        assert_eq!((told.status, told.text().as_str()), (200, "well"), "{row}");
        // It may be ended before anybody looks.
        let worker = farm.worker_of(&told);
        eventually(promised(seconds(12)), &format!("{row}: {worker} is ended"), || !process::is_worker(worker));
        let said = format!("worker {what} while it has no request");
        eventually(PATIENCE, &format!("{row} is said"), || {
            farm.log.said(&said).iter().any(|line| line["worker"] == worker)
        });
        assert_eq!(farm.app("evil").get("/api/honest?again").text(), "again", "{row}");
    }
    watch.close();
}
