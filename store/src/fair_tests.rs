//! Who is next, with costs as the tests like them: no clock, no thread.

use super::*;

const MS: u64 = 1_000_000;

const BACK_MOST: u64 = 10 * MS;

/// Each is of its own kind.
impl Piece for &'static str {
    fn kind(&self) -> Kind {
        (*self, 0)
    }

    fn stands_back_ns(&self) -> u64 {
        if *self == "large" { BACK_MOST } else { 0 }
    }
}

fn queue(most: usize) -> FairQueue<&'static str> {
    FairQueue::new(most, BACK_MOST)
}

fn next(queue: &mut FairQueue<&'static str>) -> Option<&'static str> {
    queue.take().map(|(_, work)| work)
}

fn end(queue: &mut FairQueue<&'static str>, (app, work): (u64, &'static str), cost_ns: u64) {
    queue.charge(app, (work, 0), cost_ns);
    queue.done(app);
}

#[test]
fn what_is_taken_together_is_taken_in_turns_and_in_each_apps_order() {
    let mut queue = queue(usize::MAX);
    for work in ["a1", "a2", "a3"] {
        queue.push(1, work);
    }
    queue.push(2, "b1");
    let taken: Vec<_> = std::iter::from_fn(|| next(&mut queue)).collect();
    assert_eq!(taken, ["a1", "b1", "a2", "a3"]);
    assert!(queue.is_empty());
    queue.push(1, "a4");
    assert!(queue.has_others(2) && !queue.has_others(1));
}

#[test]
fn who_uses_little_waits_for_nobody_but_the_one_at_work() {
    let mut queue = queue(usize::MAX);
    for app in 1..=4 {
        queue.push(app, "scan");
    }
    let mut scans = 0;
    for _ in 0..100 {
        queue.push(9, "small");
        while let Some((app, work)) = queue.take() {
            end(&mut queue, (app, work), if app == 9 { MS } else { (50 + app) * MS });
            if work == "small" {
                break;
            }
            queue.push(app, work);
            scans += 1;
        }
        // Comes again while the next one is at work.
        let (app, work) = queue.take().unwrap();
        queue.push(app, work);
        end(&mut queue, (app, work), (50 + app) * MS);
    }
    // At the very beginning nobody has used anything, and who came first is first.
    assert!(scans < 15, "{scans} scans before a hundred small ones");
}

#[test]
fn short_ones_have_a_start_ahead_of_those_that_are_known_to_be_long() {
    let mut queue = queue(usize::MAX);
    for app in 1..=10 {
        queue.push(app, "large");
    }
    for round in 0..10 {
        queue.push(99, "small");
        assert_eq!(next(&mut queue), Some("small"), "round {round}");
        end(&mut queue, (99, "small"), MS / 2);
        let (app, work) = queue.take().unwrap();
        assert_eq!(work, "large");
        end(&mut queue, (app, work), 50 * MS);
    }
}

#[test]
fn long_ones_are_not_put_off_for_ever() {
    let mut queue = queue(usize::MAX);
    queue.push(1, "large");
    let before = (0..).find(|_| {
        queue.push(2, "small");
        let (app, work) = queue.take().unwrap();
        end(&mut queue, (app, work), MS);
        work == "large"
    });
    assert!(before.is_some_and(|before| before <= 11), "{before:?}");
}

#[test]
fn time_is_shared_and_not_calls() {
    let mut queue = queue(usize::MAX);
    let mut counts = [0; 2];
    queue.push(0, "long");
    queue.push(1, "short");
    for _ in 0..1_100 {
        let (app, work) = queue.take().unwrap();
        counts[usize::from(app == 1)] += 1;
        queue.push(app, work);
        end(&mut queue, (app, work), if app == 0 { 10 * MS } else { MS });
    }
    assert!((90..=110).contains(&counts[0]) && (990..=1_010).contains(&counts[1]), "{counts:?}");
}

#[test]
fn nobody_saves_up() {
    let mut queue = queue(usize::MAX);
    for _ in 0..100 {
        queue.push(1, "a");
        let (app, work) = queue.take().unwrap();
        queue.push(1, "a");
        end(&mut queue, (app, work), 10 * MS);
    }
    // One that comes now has no claim to all that time.
    let mut old = 0;
    for _ in 0..10 {
        queue.push(2, "new");
        queue.push(2, "new");
        let (app, work) = queue.take().unwrap();
        queue.push(app, work);
        end(&mut queue, (app, work), 10 * MS);
        old += u32::from(app == 1);
    }
    assert!((4..=6).contains(&old), "{old} of ten");
}

#[test]
fn what_is_put_back_comes_first_again() {
    let mut queue = queue(usize::MAX);
    for (app, work) in [(1, "a1"), (1, "a2"), (2, "b1"), (1, "a3")] {
        queue.push(app, work);
    }
    let taken: Vec<_> = std::iter::from_fn(|| queue.take()).take(3).collect();
    for (app, work) in taken.into_iter().rev() {
        queue.put_back(app, work);
        queue.done(app);
    }
    let taken: Vec<_> = std::iter::from_fn(|| next(&mut queue)).collect();
    assert_eq!(taken, ["a1", "b1", "a2", "a3"]);
}

#[test]
fn what_was_taken_and_put_back_moves_no_time() {
    let mut queue = queue(usize::MAX);
    queue.push(1, "a");
    assert_eq!(next(&mut queue), Some("a"));
    queue.push(1, "a");
    end(&mut queue, (1, "a"), 4 * MS);
    queue.push(2, "b");
    assert_eq!(next(&mut queue), Some("b"));
    let (app, work) = queue.take_short().unwrap();
    queue.put_back(app, work);
    queue.done(app);
    queue.push(3, "new");
    assert_eq!(next(&mut queue), Some("new"));
}

#[test]
fn long_ones_are_passed_over_where_short_ones_are_wanted() {
    let mut queue = queue(usize::MAX);
    for (app, work) in [(1, "large"), (2, "b1"), (3, "large"), (2, "b2"), (4, "c1")] {
        queue.push(app, work);
    }
    let taken: Vec<_> = std::iter::from_fn(|| queue.take_short()).map(|(_, work)| work).collect();
    assert_eq!(taken, ["b1", "c1", "b2"]);
    assert_eq!((queue.take(), queue.take()), (Some((1, "large")), Some((3, "large"))));
}

#[test]
fn an_app_holds_no_more_than_its_share() {
    let mut queue = queue(1);
    queue.push(1, "a1");
    queue.push(1, "a2");
    assert_eq!(next(&mut queue), Some("a1"));
    assert_eq!(next(&mut queue), None);
    queue.push(2, "b1");
    assert_eq!(next(&mut queue), Some("b1"));
    queue.done(1);
    assert_eq!(next(&mut queue), Some("a2"));
}

#[test]
fn what_no_longer_matters_is_forgotten() {
    let mut queue = queue(usize::MAX);
    queue.push(0, "always");
    for app in 1..10_000 {
        queue.push(app, "once");
        let (app, work) = queue.take().unwrap();
        queue.push(0, "always");
        end(&mut queue, (app, work), MS);
        assert!(queue.apps.len() <= queue.waiting + AHEAD_MOST);
    }
    while let Some((app, work)) = queue.take() {
        end(&mut queue, (app, work), MS);
    }
    assert!(queue.apps.is_empty() && queue.ready.is_empty() && queue.ahead.is_empty());
}

/// Sixty apps, of which eight wait at any time, come in turn, each with a dear piece; an app with a cheap one every now and then
/// waits meanwhile. Returns how long, in the order of its pieces.
fn beside_a_crowd(pieces: usize) -> Vec<u64> {
    let mut queue = queue(usize::MAX);
    let mut crowd = (1..=60).cycle();
    (0..8).for_each(|_| queue.push(crowd.next().unwrap(), "dear"));
    let (mut now, mut comes, mut asked, mut waits) = (0, 5 * MS, None, Vec::new());
    while waits.len() < pieces {
        let (app, work) = queue.take().unwrap();
        let cost = if app == 99 { MS } else { 50 * MS };
        now += cost;
        if app != 99 {
            queue.push(crowd.next().unwrap(), "dear");
        } else if let Some(asked) = asked.take() {
            waits.push(now - asked);
            comes = now + 5 * MS;
        }
        if asked.is_none() && now >= comes {
            queue.push(99, "cheap");
            asked = Some(comes);
        }
        end(&mut queue, (app, work), cost);
    }
    waits
}

#[test]
fn a_crowd_that_comes_anew_is_not_before_whoever_used_a_little() {
    let mut waits = beside_a_crowd(200);
    waits.sort_unstable();
    let (median, worst) = (waits[100] / MS, waits[199] / MS);
    assert!(median <= 60 && worst <= 100, "it waits for {median} ms at the median, for {worst} ms at the most");
}

#[test]
fn what_is_known_to_be_dear_is_not_put_off_for_ever_either() {
    let mut queue = queue(usize::MAX);
    queue.push(1, "dear");
    let first = queue.take().unwrap();
    end(&mut queue, first, 500 * MS);
    for app in 2..=3 {
        queue.push(app, "cheap");
        let first = queue.take().unwrap();
        end(&mut queue, first, MS);
        queue.push(app, "cheap");
    }
    queue.push(4, "dear");
    let before = (0..1_000).find(|_| {
        let (app, work) = queue.take().unwrap();
        queue.push(app, work);
        end(&mut queue, (app, work), MS);
        work == "dear"
    });
    assert!(before.is_some_and(|before| (2..=25).contains(&before)), "{before:?}");
}
