//! What is left of something that all apps have together, and what each of them holds of it: an app may have a part of
//! what the others left. However many fill their shares, the next one finds some. Pure state.

use std::collections::HashMap;

/// A thing that is held in parts.
#[derive(Debug)]
pub struct Shares {
    whole: usize,
    /// One app may have one of so many parts of what the others left.
    parts: usize,
    held: usize,
    by_app: HashMap<u64, usize>,
}

/// Why there is nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Full {
    /// The app has its share.
    Share,
    /// Nobody has any.
    All,
}

impl Shares {
    /// So much of it, of which one app may have one of so many parts.
    #[must_use]
    pub fn new(whole: usize, parts: usize) -> Self {
        Self { whole, parts, held: 0, by_app: HashMap::new() }
    }

    /// Whether an app may take that much more; the farm itself, which is no app, has no share.
    ///
    /// # Errors
    /// [`Full`].
    pub fn fits(&self, app: Option<u64>, more: usize) -> Result<(), Full> {
        let own = app.map_or(0, |app| self.held_by(app));
        let left = self.whole.saturating_sub(self.held).saturating_add(own);
        if self.held.saturating_add(more) > self.whole {
            Err(Full::All)
        } else if app.is_some() && own.saturating_add(more) > left.checked_div(self.parts).unwrap_or(left) {
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
        self.held = self.held.saturating_add(more);
        if let Some(app) = app {
            let own = self.by_app.entry(app).or_default();
            *own = own.saturating_add(more);
        }
        Ok(())
    }

    /// Gives back what was taken.
    pub fn give(&mut self, app: Option<u64>, less: usize) {
        self.held = self.held.saturating_sub(less);
        let Some(app) = app else { return };
        match self.by_app.get_mut(&app) {
            Some(own) if *own > less => *own = own.saturating_sub(less),
            _ => drop(self.by_app.remove(&app)),
        }
    }

    /// What an app holds.
    #[must_use]
    pub fn held_by(&self, app: u64) -> usize {
        self.by_app.get(&app).copied().unwrap_or_default()
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
        assert_eq!((shares.held_by(1), shares.by_app.len()), (0, 4), "who holds nothing is forgotten");
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
}
