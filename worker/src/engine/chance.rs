//! Random numbers for `Math.random`: xoshiro256++ (Blackman and Vigna, 2018), seeded from the kernel once a request.

/// The generator's state.
#[derive(Debug)]
pub(super) struct Chance([u64; 4]);

impl Chance {
    /// A generator with a new seed.
    pub(super) fn seeded() -> Result<Self, getrandom::Error> {
        let mut seed = [0u8; 32];
        getrandom::fill(&mut seed)?;
        let mut state = [0; 4];
        for (word, bytes) in state.iter_mut().zip(seed.as_chunks::<8>().0) {
            *word = u64::from_le_bytes(*bytes);
        }
        // The one state that it cannot leave.
        if state == [0; 4] {
            state = [1; 4];
        }
        Ok(Self(state))
    }

    /// A number from 0 to below 1, of 53 random bits.
    pub(super) fn next(&mut self) -> f64 {
        let [a, b, c, d] = &mut self.0;
        let result = a.wrapping_add(*d).rotate_left(23).wrapping_add(*a);
        let shifted = *b << 17;
        *c ^= *a;
        *d ^= *b;
        *b ^= *c;
        *a ^= *d;
        *c ^= shifted;
        *d = d.rotate_left(45);
        (result >> 11) as f64 / (1u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_the_paper_s_code() {
        // The first outputs of the reference implementation for the state 1, 2, 3, 4.
        let mut chance = Chance([1, 2, 3, 4]);
        let expected = [41_943_041u64, 58_720_359, 3_588_806_011_781_223, 3_591_011_842_654_386];
        for number in expected {
            assert_eq!(chance.next(), (number >> 11) as f64 / (1u64 << 53) as f64);
        }
    }

    #[test]
    fn two_seeds_differ() {
        assert_ne!(Chance::seeded().unwrap().0, Chance::seeded().unwrap().0);
    }
}
