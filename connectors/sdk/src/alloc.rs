//! The component's allocator: it hands out memory in a row and takes back only the last piece.
//!
//! The host makes an instance for one run and throws it away with all its memory, so what is freed in between hardly
//! matters, while every page that is touched costs a page fault of the host. Handing out in a row touches the fewest,
//! and a vector or string that grows at the end grows in place. A component that wants another allocator disables
//! this crate's default feature `bump-allocator`.
#![expect(unsafe_code, reason = "GlobalAlloc is an unsafe trait; there is one thread and the arithmetic is below")]

use core::alloc::{GlobalAlloc, Layout};
use core::arch::wasm32::{memory_grow, memory_size};
use core::cell::Cell;
use core::ptr;

const PAGE_BYTES: usize = 64 << 10;
/// By how many pages the memory grows at least: growing is a call to the host's kernel.
const GROW_PAGES_MIN: usize = 4;

unsafe extern "C" {
    /// Where the linker's data ends; only its address means something.
    static __heap_base: u8;
}

struct Bump {
    /// Address of the first free byte; 0 before the first allocation.
    next: Cell<usize>,
    /// Address of the first byte that is not ours.
    end: Cell<usize>,
}

// SAFETY: a component of this contract has one thread.
unsafe impl Sync for Bump {}

#[global_allocator]
static BUMP: Bump = Bump { next: Cell::new(0), end: Cell::new(0) };

impl Bump {
    fn take(&self, size: usize, align: usize) -> *mut u8 {
        if self.next.get() == 0 {
            self.next.set(&raw const __heap_base as usize);
            self.end.set(memory_size::<0>() * PAGE_BYTES);
        }
        let Some(start) = self.next.get().checked_add(align - 1).map(|address| address & !(align - 1)) else {
            return ptr::null_mut();
        };
        let Some(end) = start.checked_add(size) else { return ptr::null_mut() };
        if end > self.end.get() && !self.grow(end) {
            return ptr::null_mut();
        }
        self.next.set(end);
        start as *mut u8
    }

    #[cold]
    fn grow(&self, end: usize) -> bool {
        let pages = (end - self.end.get()).div_ceil(PAGE_BYTES);
        let wanted = pages.max(GROW_PAGES_MIN);
        // Where the host allows no more than what is needed, that is enough.
        let grown = [wanted, pages].into_iter().find(|pages| memory_grow::<0>(*pages) != usize::MAX);
        self.end.set(self.end.get() + grown.unwrap_or(0) * PAGE_BYTES);
        grown.is_some()
    }
}

// SAFETY: pieces do not overlap, because `next` only moves past what was handed out, and back only to the start of the
// last piece when its owner gives it up; they are aligned and within the memory, as `take` makes sure.
unsafe impl GlobalAlloc for Bump {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        self.take(layout.size(), layout.align())
    }

    unsafe fn dealloc(&self, piece: *mut u8, layout: Layout) {
        if piece as usize + layout.size() == self.next.get() {
            self.next.set(piece as usize);
        }
    }

    unsafe fn realloc(&self, piece: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        if piece as usize + layout.size() == self.next.get() {
            self.next.set(piece as usize);
            let moved = self.take(new_size, layout.align());
            if moved.is_null() {
                self.next.set(piece as usize + layout.size());
            }
            return moved;
        }
        if new_size <= layout.size() {
            return piece;
        }
        let moved = self.take(new_size, layout.align());
        if !moved.is_null() {
            // SAFETY: both are at least as long as the old piece, and they do not overlap.
            unsafe { ptr::copy_nonoverlapping(piece, moved, layout.size()) };
        }
        moved
    }
}
