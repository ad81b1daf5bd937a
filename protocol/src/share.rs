//! What is left of something that all apps have together, and what each of them holds of it: pure state, which router and store
//! keep for the memory of bodies alike.
//!
//! An app may have a part of what the others left ([`Shares::new`]). By itself that leaves the next one ever less, so two things
//! may be set aside. Of a *floor* ([`Shares::with_floors`]) each app is sure before it takes anything of what all share, as
//! long as no more apps hold something than there are floors. And what is the *farm's own* ([`Shares::with_own`]), for those
//! who look after it, no app can have.

use std::collections::HashMap;

/// A thing that is held in parts.
#[derive(Debug)]
pub struct Shares {
    common: Pool,
    /// One app may have one of so many parts of what the others left of it.
    parts: usize,
    /// What one app is sure of.
    floor: usize,
    floors: Pool,
    own: Pool,
    /// What each app holds, and, under no name, the farm itself.
    held: HashMap<Option<u64>, Held>,
}

/// Why there is nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Full {
    /// The app has its share.
    Share,
    /// Nobody has any.
    All,
}

#[derive(Debug, Default, Clone, Copy)]
struct Pool {
    size: usize,
    held: usize,
}

/// Of what was set aside for its holder, and of what is common.
#[derive(Debug, Default, Clone, Copy)]
struct Held {
    aside: usize,
    common: usize,
}

impl Shares {
    /// So much of it, of which one app may have one of so many parts of what the others left.
    #[must_use]
    pub fn new(common: usize, parts: usize) -> Self {
        let common = Pool { size: common, held: 0 };
        Self { common, parts, floor: 0, floors: Pool::default(), own: Pool::default(), held: HashMap::new() }
    }

    /// And beside it so much for each of that many apps.
    #[must_use]
    pub fn with_floors(self, floor: usize, apps: usize) -> Self {
        Self { floor, floors: Pool { size: floor.saturating_mul(apps), held: 0 }, ..self }
    }

    /// And beside it so much for the farm itself.
    #[must_use]
    pub fn with_own(self, own: usize) -> Self {
        Self { own: Pool { size: own, held: 0 }, ..self }
    }

    /// Whether an app may take that much more; or the farm itself, which has no share: what is its own, and all that is left
    /// of what is common.
    ///
    /// # Errors
    /// [`Full`].
    pub fn fits(&self, app: Option<u64>, more: usize) -> Result<(), Full> {
        let (own, add) = (self.held(app), self.split(app, more));
        if add.common == 0 {
            return Ok(());
        }
        let left = self.common.left().saturating_add(own.common);
        if add.common > self.common.left() {
            Err(Full::All)
        } else if app.is_some() && own.common.saturating_add(add.common) > left.checked_div(self.parts).unwrap_or(left)
        {
            Err(Full::Share)
        } else {
            Ok(())
        }
    }

    /// Takes that much.
    ///
    /// # Errors
    /// [`Full`]; then nothing is taken.
    pub fn take(&mut self, app: Option<u64>, more: usize) -> Result<(), Full> {
        self.fits(app, more)?;
        self.take_anyway(app, more);
        Ok(())
    }

    /// Takes that much of what is in memory in any case, whether it fits or not: it counts, for this app and for all.
    pub fn take_anyway(&mut self, app: Option<u64>, more: usize) {
        if more == 0 {
            return;
        }
        let add = self.split(app, more);
        let own = self.held.entry(app).or_default();
        own.aside = own.aside.saturating_add(add.aside);
        own.common = own.common.saturating_add(add.common);
        self.common.held = self.common.held.saturating_add(add.common);
        let aside = self.aside(app);
        aside.held = aside.held.saturating_add(add.aside);
    }

    /// Gives back what was taken: first what all share.
    pub fn give(&mut self, app: Option<u64>, less: usize) {
        let own = self.held(app);
        let common = less.min(own.common);
        let aside = less.saturating_sub(common).min(own.aside);
        let left = Held { aside: own.aside.saturating_sub(aside), common: own.common.saturating_sub(common) };
        if left.sum() == 0 {
            self.held.remove(&app);
        } else {
            self.held.insert(app, left);
        }
        self.common.held = self.common.held.saturating_sub(common);
        let pool = self.aside(app);
        pool.held = pool.held.saturating_sub(aside);
    }

    /// What an app holds.
    #[must_use]
    pub fn held_by(&self, app: u64) -> usize {
        self.held(Some(app)).sum()
    }

    /// What all hold together.
    #[must_use]
    pub fn held_by_all(&self) -> usize {
        [self.common, self.floors, self.own].iter().fold(0, |sum, pool| sum.saturating_add(pool.held))
    }

    /// Whether nobody holds anything.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.held.is_empty() && self.held_by_all() == 0
    }

    fn held(&self, app: Option<u64>) -> Held {
        self.held.get(&app).copied().unwrap_or_default()
    }

    /// Where that much more would come from: what was set aside for the taker comes first.
    fn split(&self, app: Option<u64>, more: usize) -> Held {
        let left = match app {
            Some(_) => self.floors.left().min(self.floor.saturating_sub(self.held(app).aside)),
            None => self.own.left(),
        };
        let aside = more.min(left);
        Held { aside, common: more.saturating_sub(aside) }
    }

    fn aside(&mut self, app: Option<u64>) -> &mut Pool {
        if app.is_some() { &mut self.floors } else { &mut self.own }
    }
}

impl Pool {
    fn left(self) -> usize {
        self.size.saturating_sub(self.held)
    }
}

impl Held {
    fn sum(self) -> usize {
        self.aside.saturating_add(self.common)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_app_has_a_part_of_what_the_others_left() {
        let mut shares = Shares::new(120, 2);
        assert_eq!((shares.take(Some(1), 60), shares.take(Some(1), 1)), (Ok(()), Err(Full::Share)));
        assert_eq!((shares.take(Some(2), 30), shares.take(Some(2), 1)), (Ok(()), Err(Full::Share)));
        for app in 3..6 {
            assert_eq!(shares.take(Some(app), 3), Ok(()), "and {app} finds some too");
        }
        shares.give(Some(1), 60);
        assert_eq!((shares.held_by(1), shares.held.len()), (0, 4), "who holds nothing is forgotten");
        assert_eq!(shares.take(Some(1), 40), Ok(()), "what is given back is there for all");
    }

    #[test]
    fn the_farm_itself_has_all_that_is_left() {
        let mut shares = Shares::new(8, 4);
        assert_eq!((shares.take(Some(1), 2), shares.take(Some(1), 1)), (Ok(()), Err(Full::Share)));
        assert_eq!((shares.take(None, 6), shares.take(None, 1)), (Ok(()), Err(Full::All)));
        shares.give(None, 6);
        assert_eq!((shares.take(Some(2), 2), shares.take(Some(2), 1)), (Err(Full::Share), Ok(())));
        assert_eq!((shares.take(None, 5), shares.take(Some(3), 1)), (Ok(()), Err(Full::All)));
    }

    /// As many as there are floors: the others may have taken all else that they could.
    #[test]
    fn whoever_holds_nothing_is_sure_of_a_floor() {
        let mut shares = Shares::new(64, 2).with_floors(10, 4);
        for (app, most) in [(1, 42), (2, 26), (3, 18)] {
            assert_eq!((shares.take(Some(app), most), shares.take(Some(app), 1)), (Ok(()), Err(Full::Share)));
        }
        assert_eq!((shares.take(Some(4), 10), shares.take(Some(4), 4)), (Ok(()), Ok(())), "and half of what is left");
        assert_eq!((shares.take(Some(5), 3), shares.take(Some(5), 2)), (Err(Full::Share), Ok(())), "one too many");
        shares.give(Some(4), 4);
        shares.give(Some(1), 40);
        assert_eq!((shares.held_by(1), shares.take(Some(1), 8)), (2, Ok(())), "what all share is given back first");
        assert_eq!(shares.held_by_all(), (1..6).map(|app| shares.held_by(app)).sum());
        (1..6).for_each(|app| shares.give(Some(app), shares.held_by(app)));
        assert!(shares.is_whole());
    }

    #[test]
    fn what_is_the_farms_own_no_app_can_have() {
        let mut shares = Shares::new(16, 1).with_floors(2, 1).with_own(8);
        assert_eq!((shares.take(Some(1), 19), shares.take(Some(1), 18)), (Err(Full::All), Ok(())));
        assert_eq!((shares.take(None, 9), shares.take(None, 8)), (Err(Full::All), Ok(())));
        shares.give(Some(1), 4);
        assert_eq!((shares.take(None, 4), shares.take(Some(2), 1)), (Ok(()), Err(Full::All)), "and what is left");
        shares.give(None, 12);
        shares.give(Some(1), 14);
        assert!(shares.is_whole());
    }

    #[test]
    fn what_is_there_in_any_case_counts() {
        let mut shares = Shares::new(16, 2).with_floors(4, 2);
        shares.take_anyway(Some(1), 30);
        assert_eq!((shares.take(Some(1), 1), shares.take(Some(2), 5)), (Err(Full::All), Err(Full::All)));
        assert_eq!(shares.take(Some(2), 4), Ok(()), "a floor is nobody else's");
        shares.give(Some(1), 30);
        shares.give(Some(2), 4);
        assert!(shares.is_whole());
    }
}
