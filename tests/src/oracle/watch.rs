//! All that must hold, over everything that happens between [`Watch::over`] and [`Watch::close`].

use crate::{
    farm::Farm,
    http::App,
    oracle::{
        canary::{self, Canary, Usual},
        census::Census,
        log::Record,
    },
};

/// Requests of the neighbour while nothing else happens, before and afterwards, to know how long they take on this machine:
/// others may hold it for a while.
const IDLE: usize = 30;

/// The neighbour is asked, the log is compared, processes were counted.
#[derive(Debug)]
pub struct Watch<'a> {
    farm: &'a Farm,
    census: Census,
    record: Record,
    canary: Option<Canary>,
    unheard: usize,
}

impl<'a> Watch<'a> {
    /// Deploys the neighbour, counts the farm at rest, and begins to watch.
    #[must_use]
    pub fn over(farm: &'a Farm) -> Self {
        let victim = canary::deploy(farm);
        let census = Census::take(farm);
        let record = Record::open(farm);
        let canary = Canary::ask(victim);
        canary.sings(IDLE);
        canary.idle_until_now();
        Self { farm, census, record, canary: Some(canary), unheard: 0 }
    }

    /// The same without a neighbour, for what must disturb everybody: a store that stands still or ends, no place left for
    /// anybody. What becomes of the others is then the test's own claim.
    #[must_use]
    pub fn without_neighbour(farm: &'a Farm) -> Self {
        Self { farm, census: Census::take(farm), record: Record::open(farm), canary: None, unheard: 0 }
    }

    /// So many requests more get answers that nobody reads.
    #[must_use]
    pub fn unheard(self, more: usize) -> Self {
        Self { unheard: self.unheard + more, ..self }
    }

    /// The neighbour.
    #[must_use]
    pub fn canary(&self) -> &Canary {
        self.canary.as_ref().unwrap()
    }

    /// The neighbour, to be asked for something by the test itself.
    #[must_use]
    pub fn victim(&self) -> App {
        self.farm.app(canary::NAME)
    }

    /// Ends the watch over a table; fails with all rows that went wrong.
    pub fn conclude(self, wrong: &[String]) {
        let told = format!("{} rows fail:\n{}", wrong.len(), wrong.join("\n"));
        // Said first: what a row did may be why something else does not hold either.
        if !wrong.is_empty() {
            eprintln!("{told}");
        }
        self.close();
        assert!(wrong.is_empty(), "{told}");
    }

    /// Ends the watch: the neighbour was served well and in time, and nothing remains.
    pub fn close(self) {
        let Self { farm, census, record, canary, unheard } = self;
        canary.into_iter().for_each(was_well_and_in_time);
        census.holds(farm);
        record.close(farm, unheard);
    }
}

fn was_well_and_in_time(canary: Canary) {
    canary.idle_from_now();
    canary.sings(IDLE);
    let usual = canary.usual();
    canary.was_well();
    eprintln!("the neighbour: {usual:?}");
    for Usual { what, idle, busy, most } in usual {
        assert!(
            busy <= most,
            "all but one in a hundred of the neighbour's {what} took up to {busy:?}; {idle:?} when idle, of {most:?}"
        );
    }
}
