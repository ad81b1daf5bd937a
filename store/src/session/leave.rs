//! Whether a worker may ask: the order of its messages, and the grant of the request that it works for. Pure state.
//!
//! A breach is what no honest worker does, and ends the channel: a forged grant, a number out of order, a second question
//! before the first one's answer. A question without leave is refused, and the channel goes on.

use fazt_protocol::{
    Breach,
    grant::{Grant, GrantKey},
    id::RequestId,
    limit::STORAGE_CALLS,
    op::{Code, Refusal},
};

/// Questions with one grant, or before the first: no honest worker asks on for long after it was refused.
const QUESTIONS: u32 = 2 * STORAGE_CALLS;

/// A channel's memory of who may ask.
#[derive(Debug)]
pub(crate) struct Leave {
    bind: u64,
    last: Option<u64>,
    granted: Option<Granted>,
    /// Questions since the newest grant, whatever became of them.
    asked: u32,
}

#[derive(Debug, Clone)]
struct Granted {
    sequence: u64,
    request: RequestId,
    deadline_ns: u64,
    calls: u32,
}

impl Leave {
    pub(crate) fn new(bind: u64) -> Self {
        Self { bind, last: None, granted: None, asked: 0 }
    }

    /// A question has come: its number must be the next one, and its grant, if it has one, ours, for this channel, and not
    /// older than the newest; and it must not be one of a flood.
    pub(crate) fn hear(&mut self, number: u64, grant: Option<&Grant>, key: &GrantKey) -> Result<(), Breach> {
        if number == u64::MAX || self.last.is_some_and(|last| last.checked_add(1) != Some(number)) {
            return Err(Breach { said: "Ask with a number out of order", phase: "idle" });
        }
        self.last = Some(number);
        if let Some(grant) = grant {
            self.heed(grant, key)?;
        }
        self.asked = self.asked.saturating_add(1);
        if self.asked > QUESTIONS {
            return Err(Breach { said: "Ask without an end", phase: "idle" });
        }
        Ok(())
    }

    fn heed(&mut self, grant: &Grant, key: &GrantKey) -> Result<(), Breach> {
        let newest = self.granted.as_ref().map(|granted| granted.sequence);
        if grant.bind != self.bind || !key.sealed(grant) || newest.is_some_and(|newest| grant.sequence < newest) {
            return Err(Breach { said: "Ask with a grant of its own making", phase: "idle" });
        }
        if newest != Some(grant.sequence) {
            let (sequence, request, deadline_ns) = (grant.sequence, grant.request.clone(), grant.deadline_ns);
            self.granted = Some(Granted { sequence, request, deadline_ns, calls: 0 });
            self.asked = 0;
        }
        Ok(())
    }

    /// Whether a question may be asked now: the request that it is for, and when that one ends.
    pub(crate) fn take(&mut self, now_ns: u64) -> Result<(RequestId, u64), Refusal> {
        let refused = |code, message: &str| Err(Refusal::new(code, message));
        let Some(granted) = &mut self.granted else { return refused(Code::Unavailable, "no request is open") };
        if now_ns >= granted.deadline_ns {
            return refused(Code::Timeout, "the request's time is over");
        }
        if granted.calls >= STORAGE_CALLS {
            return refused(Code::RateLimited, "too many storage calls in one request");
        }
        granted.calls = granted.calls.saturating_add(1);
        Ok((granted.request.clone(), granted.deadline_ns))
    }

    /// The request that was granted last, for log lines.
    pub(crate) fn request(&self) -> Option<RequestId> {
        self.granted.as_ref().map(|granted| granted.request.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: [u8; 32] = [3; 32];

    fn key() -> GrantKey {
        GrantKey::new(KEY)
    }

    fn grant(bind: u64, sequence: u64, deadline_ns: u64) -> Grant {
        key().grant(bind, sequence, RequestId::generate(), deadline_ns)
    }

    #[test]
    fn numbers_rise_by_one() {
        let mut leave = Leave::new(1);
        leave.hear(5, None, &key()).unwrap();
        leave.hear(6, None, &key()).unwrap();
        assert!(leave.hear(6, None, &key()).is_err());
        assert!(Leave::new(1).hear(u64::MAX, None, &key()).is_err());
    }

    #[test]
    fn nothing_without_a_live_grant() {
        let mut leave = Leave::new(1);
        leave.hear(1, None, &key()).unwrap();
        assert_eq!(leave.take(0).unwrap_err().code, Code::Unavailable);
        leave.hear(2, Some(&grant(1, 1, 100)), &key()).unwrap();
        assert_eq!(leave.take(99).unwrap().1, 100);
        assert_eq!(leave.take(100).unwrap_err().code, Code::Timeout);
    }

    #[test]
    fn forged_foreign_and_older_grants_are_breaches() {
        let mut leave = Leave::new(1);
        leave.hear(1, Some(&grant(1, 7, 100)), &key()).unwrap();
        leave.hear(2, Some(&grant(1, 7, 100)), &key()).unwrap();
        assert!(leave.hear(3, Some(&grant(1, 6, 100)), &key()).is_err());
        assert!(Leave::new(1).hear(1, Some(&grant(2, 1, 100)), &key()).is_err());
        let forged = GrantKey::new([4; 32]).grant(1, 1, RequestId::generate(), 100);
        assert!(Leave::new(1).hear(1, Some(&forged), &key()).is_err());
    }

    #[test]
    fn a_requests_calls_are_counted_and_a_new_request_begins_anew() {
        let mut leave = Leave::new(1);
        leave.hear(1, Some(&grant(1, 1, 100)), &key()).unwrap();
        for _ in 0..STORAGE_CALLS {
            leave.take(0).unwrap();
        }
        assert_eq!(leave.take(0).unwrap_err().code, Code::RateLimited);
        leave.hear(2, Some(&grant(1, 2, 100)), &key()).unwrap();
        leave.take(0).unwrap();
    }

    #[test]
    fn a_flood_is_a_breach_with_a_grant_and_without() {
        for granted in [None, Some(grant(1, 1, 100))] {
            let mut leave = Leave::new(1);
            leave.hear(1, granted.as_ref(), &key()).unwrap();
            let most = u64::from(QUESTIONS);
            (2..=most).for_each(|number| leave.hear(number, None, &key()).unwrap());
            leave.hear(most + 1, Some(&grant(1, 2, 100)), &key()).unwrap();
            (2..=most).for_each(|number| leave.hear(most + number, None, &key()).unwrap());
            assert!(leave.hear(2 * most + 1, None, &key()).is_err());
        }
    }
}
