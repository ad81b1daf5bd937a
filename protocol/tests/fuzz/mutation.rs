//! Changes seeds at random, in ways that decoders trip over: lengths and counts that lie, pieces that are missing, doubled
//! or taken from elsewhere.

/// A source of inputs; the same seed gives the same ones.
pub(super) struct Mutator<'a> {
    state: u64,
    seeds: &'a [Vec<u8>],
    largest: usize,
}

/// What numbers on the wire may begin with, and what stands at the edges of their ranges.
const TELLING: [&[u8]; 14] = [
    &[0],
    &[1],
    &[2],
    &[127],
    &[128],
    &[250],
    &[251, 0xff, 0xff],
    &[252, 0, 0, 0, 0x80],
    &[252, 0xff, 0xff, 0xff, 0xff],
    &[253, 0, 0, 0, 0, 0, 1, 0, 0],
    &[253, 0, 0, 4, 0, 0, 0, 0, 0],
    &[253, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
    &[254],
    &[255],
];

impl<'a> Mutator<'a> {
    pub(super) fn new(seed: u64, seeds: &'a [Vec<u8>], largest: usize) -> Self {
        Self { state: seed, seeds, largest }
    }

    /// The next input.
    pub(super) fn next(&mut self) -> Vec<u8> {
        let mut input = self.seed().to_vec();
        for _ in 0..=self.below(4) {
            self.change(&mut input);
        }
        input.truncate(self.largest);
        input
    }

    fn change(&mut self, input: &mut Vec<u8>) {
        let at = self.below(input.len() + 1);
        let end = (at + 1 + self.below(16)).min(input.len());
        let at_byte = at.min(input.len().saturating_sub(1));
        match self.below(8) {
            0 => input.truncate(at),
            1 => drop(input.drain(at.min(end)..end)),
            2 => {
                let telling = TELLING[self.below(TELLING.len())];
                drop(input.splice(at_byte..(at_byte + 1).min(input.len()), telling.iter().copied()));
            }
            3 => {
                let bit = 1 << self.below(8);
                input.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= bit);
            }
            4 => {
                let byte = self.number() as u8;
                input.iter_mut().skip(at).take(1).for_each(|old| *old = byte);
            }
            5 => {
                let again = input[at.min(end)..end].repeat(1 + self.below(300));
                drop(input.splice(at..at, again));
            }
            6 => {
                let other = self.seed();
                let from = self.below(other.len() + 1);
                input.truncate(at);
                input.extend_from_slice(&other[from..]);
            }
            _ => {
                let noise: Vec<u8> = (0..self.below(32)).map(|_| self.number() as u8).collect();
                drop(input.splice(at..at, noise));
            }
        }
    }

    fn seed(&mut self) -> &'a [u8] {
        &self.seeds[self.below(self.seeds.len())]
    }

    fn below(&mut self, most: usize) -> usize {
        (self.number() % most.max(1) as u64) as usize
    }

    /// SplitMix64 (Steele, Lea, Flood 2014): one addition and three mixes, no bad seeds.
    fn number(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}
