//! Slabs: single pages cut into blocks of one class, for what is larger than the engine's own small objects and smaller
//! than half a page.

use super::{Kind, PAGE, Page, Space};

/// Block sizes: multiples of 16, and the largest that fit a page seven, six, … two times.
const SIZES: [usize; 6] = [576, 672, 816, 1024, 1360, 2048];
pub(super) const CLASSES: usize = SIZES.len();

/// The smallest class that holds `bytes`.
pub(super) fn class(bytes: usize) -> Option<u8> {
    SIZES.iter().position(|size| bytes <= *size).and_then(|class| u8::try_from(class).ok())
}

/// The size of a class's blocks.
pub(super) fn size(class: u8) -> usize {
    SIZES.get(class as usize).copied().unwrap_or(PAGE)
}

/// A bit for each block of a page of this class.
fn blocks(class: u8) -> u8 {
    u8::try_from((1u32 << (PAGE / size(class))) - 1).unwrap_or(u8::MAX)
}

impl Space<'_> {
    /// Takes a block of a class.
    pub(super) fn take_block(&mut self, class: u8) -> Option<*mut u8> {
        let mut at = self.header.slabs.get(class as usize).copied().unwrap_or(0);
        if at == 0 {
            at = self.take(1)?;
            *self.page(at) =
                Page { kind: Kind::Slab, class, room: blocks(class), spare: 0, length: 1, next: 0, previous: 0 };
            self.link_slab(at, class);
        }
        let page = self.page(at);
        let block = page.room.trailing_zeros();
        page.room &= page.room.wrapping_sub(1);
        if page.room == 0 {
            self.unlink_slab(at, class);
        }
        Some(self.address(at).wrapping_add(block as usize * size(class)))
    }

    /// Gives back the block at `block`, which lies in the slab page `at`.
    pub(super) fn give_block(&mut self, at: u32, block: *mut u8) {
        let start = self.address(at) as usize;
        let page = self.page(at);
        let class = page.class;
        let was_full = page.room == 0;
        page.room |= 1 << ((block as usize).wrapping_sub(start) / size(class)).min(7);
        let empty = page.room == blocks(class);
        if was_full && !empty {
            self.link_slab(at, class);
        } else if empty && !was_full {
            self.unlink_slab(at, class);
        }
        if empty {
            self.give(at, 1);
        }
    }

    fn link_slab(&mut self, at: u32, class: u8) {
        let next = self.header.slabs.get(class as usize).copied().unwrap_or(0);
        let page = self.page(at);
        page.next = next;
        page.previous = 0;
        if next != 0 {
            self.page(next).previous = at;
        }
        self.set_slab(class, at);
    }

    fn unlink_slab(&mut self, at: u32, class: u8) {
        let Page { next, previous, .. } = *self.page(at);
        if next != 0 {
            self.page(next).previous = previous;
        }
        if previous != 0 {
            self.page(previous).next = next;
        } else {
            self.set_slab(class, next);
        }
    }

    fn set_slab(&mut self, class: u8, first: u32) {
        if let Some(slab) = self.header.slabs.get_mut(class as usize) {
            *slab = first;
        }
    }
}
