//! Grants: the router's sealed word that a worker may use the store for one request until one deadline.
//!
//! A worker cannot invent the request that it works for: the router seals bind, sequence, request id and deadline with a
//! key that only the store knows too (keyed BLAKE3), puts the grant into each `Call`, and the worker hands it on with its
//! first op. So router and store need no message of their own per request.

use serde::{Deserialize, Serialize};

use crate::id::RequestId;

/// The router's and the store's common secret; made anew at each start of the store.
#[derive(Clone)]
pub struct GrantKey([u8; 32]);

/// One request's leave to use the store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// The channel that it is for: worthless on any other.
    pub bind: u64,
    /// Rises with each call on that channel; the store refuses one that is older than the newest it saw.
    pub sequence: u64,
    /// The request that ops are done, limited and logged for.
    pub request: RequestId,
    /// When it ends, in nanoseconds of CLOCK_MONOTONIC.
    pub deadline_ns: u64,
    /// Keyed BLAKE3 over all of the above.
    seal: [u8; 32],
}

impl GrantKey {
    /// A key from 32 random bytes.
    #[must_use]
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes, to be told to the store.
    #[must_use]
    pub fn bytes(&self) -> [u8; 32] {
        self.0
    }

    /// Seals a grant.
    #[must_use]
    pub fn grant(&self, bind: u64, sequence: u64, request: RequestId, deadline_ns: u64) -> Grant {
        let seal = *self.seal(bind, sequence, &request, deadline_ns).as_bytes();
        Grant { bind, sequence, request, deadline_ns, seal }
    }

    /// Whether this key sealed `grant`. Compares in constant time.
    #[must_use]
    pub fn sealed(&self, grant: &Grant) -> bool {
        self.seal(grant.bind, grant.sequence, &grant.request, grant.deadline_ns) == blake3::Hash::from_bytes(grant.seal)
    }

    fn seal(&self, bind: u64, sequence: u64, request: &RequestId, deadline_ns: u64) -> blake3::Hash {
        let mut hasher = blake3::Hasher::new_keyed(&self.0);
        hasher.update(&bind.to_le_bytes());
        hasher.update(&sequence.to_le_bytes());
        hasher.update(&deadline_ns.to_le_bytes());
        // Last, so that its varying length needs no separator.
        hasher.update(request.as_str().as_bytes());
        hasher.finalize()
    }
}

impl std::fmt::Debug for GrantKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("GrantKey(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seal_holds_for_exactly_what_was_sealed() {
        let key = GrantKey::new([7; 32]);
        let grant = key.grant(3, 9, RequestId::generate(), 1_000);
        assert!(key.sealed(&grant));
        assert!(!GrantKey::new([8; 32]).sealed(&grant));
        let changed = [
            Grant { bind: 4, ..grant.clone() },
            Grant { sequence: 10, ..grant.clone() },
            Grant { deadline_ns: 1_001, ..grant.clone() },
            Grant { request: RequestId::generate(), ..grant.clone() },
            Grant { seal: [0; 32], ..grant },
        ];
        assert!(changed.iter().all(|grant| !key.sealed(grant)));
    }
}
