//! Trackers against the reference: whatever pages are written, the arena comes back.

use proptest::prelude::*;

use super::*;

const PAGES: usize = 200;

/// An arena whose first pages hold something, and its image.
fn subject(tracker: Box<dyn Tracker>) -> (Arena, Image) {
    let arena = Arena::reserve(8 << 20).unwrap();
    let malloc = crate::arena::functions().js_malloc.unwrap();
    // SAFETY: the arena's own function and base; the block has that many pages.
    unsafe {
        let block = malloc(arena.base().as_ptr().cast(), (PAGES * PAGE) as u64).cast::<u8>();
        for page in 0..PAGES {
            block.add(page * PAGE).write(page as u8 | 1);
        }
    }
    let image = Image::take(&arena, tracker).unwrap();
    (arena, image)
}

/// Writes to a page of the image, counted from its end.
fn write(arena: &Arena, image: &Image, page: usize) {
    // SAFETY: a page of the block that `subject` made.
    unsafe { arena.base().as_ptr().add(image.bytes() - (page + 1) * PAGE).write_volatile(0xEE) };
}

fn comes_back(tracker: Box<dyn Tracker>, rounds: &[Vec<usize>]) {
    let (arena, mut image) = subject(tracker);
    for pages in rounds {
        for page in pages {
            write(&arena, &image, *page);
        }
        image.restore(&arena);
        assert_eq!(image.difference(arena.high_bytes()), None, "{pages:?}");
    }
    drop(image);
    // Free to be written again.
    // SAFETY: the last page of the block.
    unsafe { arena.base().as_ptr().add(arena.top_bytes() - PAGE).write_volatile(1) };
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn any_writes_come_back(rounds in proptest::collection::vec(proptest::collection::vec(0..PAGES, 0..90), 1..40)) {
        comes_back(Box::new(Hot::default()), &rounds);
        comes_back(Box::new(Whole::default()), &rounds);
    }
}

#[test]
fn the_same_pages_over_a_thousand_requests_come_back() {
    // Past the cooling and the probation, with one page that is written now and then and one flood.
    let rounds: Vec<Vec<usize>> = (0..1_200)
        .map(|round| match round {
            700 => (0..PAGES).collect(),
            round if round % 50 == 0 => vec![3, 4, 5, 90],
            _ => vec![3, 4, 5],
        })
        .collect();
    comes_back(Box::new(Hot::default()), &rounds);
}

#[test]
fn a_written_page_shows_as_a_difference() {
    let (arena, mut image) = subject(Box::new(Hot::default()));
    assert_eq!(image.difference(arena.high_bytes()), None);
    write(&arena, &image, 7);
    assert_eq!(image.difference(arena.high_bytes()), Some(image.bytes() / PAGE - 8));
    image.restore(&arena);
    assert_eq!(image.difference(arena.high_bytes()), None);
}

#[test]
fn what_lies_above_the_image_is_scrubbed() {
    let (arena, mut image) = subject(Box::new(Hot::default()));
    let malloc = crate::arena::functions().js_malloc.unwrap();
    let mut high = 0;
    for bytes in [PAGE, 1 << 20, 20 << 20] {
        // SAFETY: the arena's own function and base; the block is that long.
        unsafe {
            let block = malloc(arena.base().as_ptr().cast(), bytes as u64).cast::<u8>();
            ptr::write_bytes(block, 0xAB, bytes);
        }
        high = arena.high_bytes().max(high);
        image.restore(&arena);
        assert_eq!(image.difference(high), None, "{bytes}");
    }
}
