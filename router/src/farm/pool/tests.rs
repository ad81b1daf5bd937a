//! The pool's decisions, each seen from outside: events in, orders out.

use super::*;

type TestPool = Pool<&'static str, u32>;

impl Waiter for u32 {
    /// In these tests, who is called zero has given up.
    fn is_gone(&self) -> bool {
        *self == 0
    }

    /// And who is called a hundred or more waits on runtime 1.
    fn home(&self) -> usize {
        usize::from(*self >= 100)
    }
}

const A: AppKey = AppKey { app: 1, version: 1 };
const B: AppKey = AppKey { app: 2, version: 1 };
const C: AppKey = AppKey { app: 3, version: 1 };

fn pool(workers: usize, app_max: usize) -> TestPool {
    let mut pool = Pool::new(Size { workers, app_max, spares: 0, queue_depth: 2 });
    assert_eq!(pool.lacking(), workers);
    for worker in 0..workers {
        pool.join(worker as u64, worker % 2, "door", Instant::now());
    }
    pool
}

/// Where a worker is taken, it loads the app at once.
fn claim(pool: &mut TestPool, app: AppKey, waiter: u32) -> Option<u64> {
    let worker = ask(pool, app, waiter)?;
    let orders = pool.load(worker, Instant::now());
    assert!(orders.hand.is_empty() && orders.retire.is_empty() && orders.births == 0);
    Some(worker)
}

fn ask(pool: &mut TestPool, app: AppKey, waiter: u32) -> Option<u64> {
    match pool.claim(app, waiter, Instant::now()).0 {
        Claim::Taken(taken, _) => Some(taken.worker),
        _ => None,
    }
}

fn retired(orders: &Orders<&'static str, u32>) -> Vec<u64> {
    orders.retire.iter().map(|taken| taken.worker).collect()
}

fn handed(orders: &Orders<&'static str, u32>) -> Vec<(u32, u64)> {
    orders.hand.iter().map(|(waiter, taken)| (*waiter, taken.worker)).collect()
}

#[test]
fn the_worker_used_last_is_taken_and_the_callers_runtime_first() {
    let mut pool = pool(4, 4);
    let (first, second) = (claim(&mut pool, A, 1).unwrap(), claim(&mut pool, A, 2).unwrap());
    pool.rest(first, Instant::now());
    pool.rest(second, Instant::now());
    assert_eq!(claim(&mut pool, A, 3), Some(second), "both are of runtime 0");
    assert_eq!(claim(&mut pool, A, 104), Some(first), "another runtime's idle worker beats a blank");
}

#[test]
fn a_worker_never_changes_its_app() {
    let mut pool = pool(2, 2);
    let a = claim(&mut pool, A, 1).unwrap();
    let b = claim(&mut pool, B, 2).unwrap();
    assert_ne!(a, b);
    pool.rest(a, Instant::now());
    pool.rest(b, Instant::now());
    assert_eq!(claim(&mut pool, A, 3), Some(a));
    assert_eq!(claim(&mut pool, B, 4), Some(b));
}

#[test]
fn another_apps_idle_worker_is_retired_and_its_successor_goes_to_the_waiter() {
    let mut pool = pool(2, 2);
    let a = claim(&mut pool, A, 1).unwrap();
    let b = claim(&mut pool, B, 2).unwrap();
    pool.rest(b, Instant::now());
    pool.rest(a, Instant::now());
    let (claimed, orders) = pool.claim(C, 3, Instant::now());
    assert!(matches!(claimed, Claim::Queued));
    assert_eq!(retired(&orders), [b], "b was used less recently");
    assert_eq!(orders.births, 1);
    let orders = pool.join(7, 0, "door", Instant::now());
    assert_eq!(handed(&orders), [(3, 7)]);
}

#[test]
fn one_app_never_holds_more_than_its_cap() {
    let mut pool = pool(3, 2);
    assert!(claim(&mut pool, A, 1).is_some());
    let second = claim(&mut pool, A, 2).unwrap();
    assert_eq!(claim(&mut pool, A, 3), None);
    assert!(claim(&mut pool, B, 4).is_some(), "the third is for somebody else");
    let orders = pool.rest(second, Instant::now());
    assert_eq!(handed(&orders), [(3, second)]);
}

#[test]
fn a_full_queue_refuses_and_who_gave_up_makes_room() {
    let mut pool = pool(1, 1);
    let only = claim(&mut pool, A, 1).unwrap();
    assert_eq!(claim(&mut pool, A, 2), None);
    assert_eq!(claim(&mut pool, A, 0), None);
    assert!(matches!(pool.claim(A, 4, Instant::now()).0, Claim::Queued), "0 has given up");
    assert!(matches!(pool.claim(A, 5, Instant::now()).0, Claim::Full(5)));
    assert_eq!(handed(&pool.rest(only, Instant::now())), [(2, only)]);
    assert_eq!(handed(&pool.rest(only, Instant::now())), [(4, only)]);
}

#[test]
fn who_holds_most_gives_up_a_worker_to_who_holds_none() {
    let mut pool = pool(2, 2);
    let first = claim(&mut pool, A, 1).unwrap();
    let second = claim(&mut pool, A, 2).unwrap();
    assert_eq!(claim(&mut pool, A, 3), None);
    assert_eq!(claim(&mut pool, B, 4), None);
    let orders = pool.rest(first, Instant::now());
    assert_eq!((retired(&orders), orders.births), (vec![first], 1));
    assert_eq!(handed(&pool.join(8, 0, "door", Instant::now())), [(3, 8)], "turns: a waited first");
    assert_eq!(handed(&pool.rest(8, Instant::now())), [], "then it is b's turn for the next free one");
    let orders = pool.join(9, 0, "door", Instant::now());
    assert_eq!(handed(&orders), [(4, 9)]);
    assert!(pool.rest(second, Instant::now()).retire.is_empty(), "nobody waits any more");
}

#[test]
fn a_death_orders_a_birth_and_the_dying_count() {
    let mut pool = pool(2, 2);
    let orders = pool.leave(0, Instant::now());
    assert_eq!(orders.births, 1);
    pool.join(2, 0, "door", Instant::now());
    assert_eq!(pool.leave(1, Instant::now()).births, 1);
    pool.join(3, 0, "door", Instant::now());
    assert_eq!(pool.leave(2, Instant::now()).births, 0, "two are still dying, four are the most");
    assert_eq!(pool.bury(0), 1);
}

#[test]
fn a_forgotten_version_ends_after_its_request() {
    let mut pool = pool(3, 3);
    let busy = claim(&mut pool, A, 1).unwrap();
    let idle = claim(&mut pool, A, 2).unwrap();
    pool.rest(idle, Instant::now());
    assert_eq!(retired(&pool.forget(A.app, Some(2), Instant::now())), [idle]);
    assert_eq!(retired(&pool.rest(busy, Instant::now())), [busy]);
}

/// One with a spare, whose number is that of the workers.
fn pool_with_spare(workers: usize, app_max: usize) -> TestPool {
    let mut pool = Pool::new(Size { workers, app_max, spares: 1, queue_depth: 2 });
    assert_eq!(pool.lacking(), workers + 1);
    for worker in 0..=workers {
        pool.join(worker as u64, 0, "door", Instant::now());
    }
    assert_eq!((pool.seats().count(), pool.crowd().spares, pool.lacking()), (workers, 1, 0));
    pool
}

#[test]
fn whoever_leaves_has_its_successor_in_the_same_moment() {
    let mut pool = pool_with_spare(1, 1);
    let only = claim(&mut pool, A, 1).unwrap();
    assert_eq!(ask(&mut pool, B, 2), None, "a spare serves in nobody's place but of one that left");
    let orders = pool.leave(only, Instant::now());
    assert_eq!((handed(&orders), orders.births), (vec![(2, 1)], 1));
    pool.join(2, 0, "door", Instant::now());
    assert_eq!((pool.seats().count(), pool.crowd().spares), (1, 1));
}

#[test]
fn an_app_without_a_worker_has_a_spare_one_in_place_of_anothers_that_is_idle() {
    let mut pool = pool_with_spare(2, 2);
    let a = claim(&mut pool, A, 1).unwrap();
    let b = claim(&mut pool, B, 2).unwrap();
    pool.rest(a, Instant::now());
    pool.rest(b, Instant::now());
    let (claimed, orders) = pool.claim(C, 3, Instant::now());
    assert!(matches!(claimed, Claim::Queued));
    assert_eq!((retired(&orders), handed(&orders), orders.births), (vec![a], vec![(3, 2)], 1));
    let idle = pool.forget(B.app, None, Instant::now());
    assert_eq!((retired(&idle), idle.births), (vec![b], 1), "the next spare is still on its way");
}

#[test]
fn a_spare_that_dies_is_replaced_and_counts_among_the_dying() {
    let mut pool = pool_with_spare(1, 1);
    assert_eq!(pool.leave(1, Instant::now()).births, 1);
    assert_eq!(pool.crowd(), Crowd { waiting: 0, spares: 0, coming: 1, dying: 1 });
    pool.join(2, 0, "door", Instant::now());
    assert_eq!(pool.leave(2, Instant::now()).births, 0, "two are still dying, three are the most");
    assert_eq!(pool.bury(1), 1);
}

#[test]
fn a_worker_that_could_not_be_bound_serves_whoever_waits() {
    let mut pool = pool(1, 1);
    let only = claim(&mut pool, A, 1).unwrap();
    assert_eq!(claim(&mut pool, B, 2), None);
    assert_eq!(handed(&pool.unbind(only, Instant::now())), [(2, only)]);
}

#[test]
fn who_waits_near_a_worker_may_go_first_but_nobody_is_passed_over_for_long() {
    let mut pool = Pool::new(Size { workers: 1, app_max: 1, spares: 0, queue_depth: 32 });
    assert_eq!(pool.lacking(), 1);
    pool.join(7, 0, "door", Instant::now());
    assert_eq!(claim(&mut pool, A, 1), Some(7));
    // The first waits on the other runtime, all others on the worker's own.
    assert_eq!(claim(&mut pool, A, 100), None);
    for near in 2..12 {
        assert_eq!(claim(&mut pool, A, near), None);
    }
    let served: Vec<u32> = (0..11)
        .map(|_| match handed(&pool.rest(7, Instant::now())).as_slice() {
            [(waiter, 7)] => *waiter,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(served, [2, 3, 4, 5, 100, 6, 7, 8, 9, 10, 11]);
}

#[test]
fn who_waited_for_a_birth_that_another_took_has_room_made_anew() {
    let mut pool = pool(2, 1);
    let a = claim(&mut pool, A, 1).unwrap();
    let b = claim(&mut pool, B, 2).unwrap();
    pool.rest(a, Instant::now());
    pool.rest(b, Instant::now());
    assert_eq!(retired(&pool.claim(C, 3, Instant::now()).1), [a]);
    assert!(retired(&pool.claim(A, 4, Instant::now()).1).is_empty(), "one is coming");
    let orders = pool.join(7, 0, "door", Instant::now());
    assert_eq!((handed(&orders), retired(&orders), orders.births), (vec![(3, 7)], vec![b], 1));
    assert_eq!(handed(&pool.join(8, 0, "door", Instant::now())), [(4, 8)]);
}

#[test]
fn who_waited_while_all_were_busy_gets_the_place_of_who_comes_free() {
    let mut pool = pool(2, 1);
    let a = claim(&mut pool, A, 1).unwrap();
    claim(&mut pool, B, 2).unwrap();
    assert_eq!(claim(&mut pool, C, 3), None);
    let orders = pool.rest(a, Instant::now());
    assert_eq!((retired(&orders), orders.births), (vec![a], 1));
    assert_eq!(handed(&pool.join(7, 0, "door", Instant::now())), [(3, 7)]);
}

#[test]
fn an_app_that_nobody_has_loaded_takes_one_place_until_somebody_has() {
    let mut pool = pool(4, 4);
    let first = ask(&mut pool, A, 1).unwrap();
    assert_eq!((ask(&mut pool, A, 2), ask(&mut pool, A, 3)), (None, None), "blanks are left, and not for this one");
    let newer = ask(&mut pool, AppKey { version: 2, ..A }, 4).unwrap();
    assert!(ask(&mut pool, B, 5).is_some() && newer != first, "each version by itself");
    let [handed] = handed(&pool.load(first, Instant::now()))[..] else { panic!("the last blank is the next one's") };
    assert_eq!(handed.0, 2);
    // Of one that it serves already, further workers may load it side by side.
    let orders = pool.leave(handed.1, Instant::now());
    assert_eq!(orders.births, 1);
    assert_eq!(pool.join(7, 0, "door", Instant::now()).hand.len(), 1);
}

#[test]
fn whoever_did_not_load_leaves_the_place_to_the_next_one() {
    let mut pool = pool(2, 2);
    let first = ask(&mut pool, A, 1).unwrap();
    assert_eq!(ask(&mut pool, A, 2), None);
    let orders = pool.leave(first, Instant::now());
    let [(2, second)] = handed(&orders)[..] else { panic!("the next one tries") };
    let third = pool.join(7, 0, "door", Instant::now());
    assert!(third.hand.is_empty() && ask(&mut pool, A, 3).is_none());
    assert_eq!(handed(&pool.unbind(second, Instant::now())).len(), 1, "the store was away");
}

#[test]
fn whoever_did_not_load_waits_behind_all_others() {
    let mut pool = pool(1, 1);
    let first = ask(&mut pool, A, 1).unwrap();
    assert_eq!((ask(&mut pool, A, 2), ask(&mut pool, B, 3)), (None, None));
    assert!(pool.leave(first, Instant::now()).hand.is_empty());
    assert_eq!(handed(&pool.join(7, 0, "door", Instant::now())), [(3, 7)]);
    assert_eq!(ask(&mut pool, C, 4), None);
    assert_eq!(handed(&pool.unbind(7, Instant::now())), [(2, 7)], "and comes to its turn");
}

#[test]
fn nobody_goes_for_an_app_that_waits_for_its_own_load() {
    let mut pool = pool(4, 3);
    let idle: Vec<u64> = (1..4).map(|waiter| claim(&mut pool, A, waiter).unwrap()).collect();
    ask(&mut pool, B, 4).unwrap();
    let (claimed, orders) = pool.claim(B, 5, Instant::now());
    assert!(matches!(claimed, Claim::Queued) && orders.retire.is_empty());
    for worker in idle {
        assert!(retired(&pool.rest(worker, Instant::now())).is_empty(), "nor is a place given up for it");
    }
    assert!(retired(&pool.claim(B, 6, Instant::now()).1).is_empty());
}
