//! Blocks of rows between the way forward and the way back.
//!
//! A gated network that is computed again on the way back costs a third of its multiplications once more; one that is kept is written and
//! read, nine numbers a row and unit of width. Narrow networks are computed again, since their numbers then never leave the cache; wide
//! ones are kept, as long as a shard's blocks need no more than `MOST` bytes. Both give the same bits.

use crate::kernels::cpu::gated::{BLOCK, Block};

/// From this width on, a block is kept; in tests some are and some are not.
const WIDE: usize = if cfg!(test) { 8 } else { 64 };

/// Bytes of the blocks that are kept in one place at most.
const MOST: usize = 96 << 20;

/// Blocks by their place, or one that is used again and again.
#[derive(Debug, Default)]
pub(super) struct Kept {
    blocks: Vec<Block>,
    is_kept: bool,
}

impl Kept {
    /// For so many blocks of this width; without a way back, none is kept.
    pub fn resize(&mut self, width: usize, blocks: usize, is_training: bool) {
        let bytes = blocks.saturating_mul(Block::numbers(width) * size_of::<f32>());
        self.is_kept = is_training && width >= WIDE && bytes <= MOST && blocks > 0;
        self.blocks
            .resize_with(if self.is_kept { blocks } else { 1 }, Block::default);
        self.blocks.iter_mut().for_each(|block| block.resize(width));
    }

    /// The block of a place, and whether it is as the way forward left it.
    pub fn at(&mut self, place: usize) -> (&mut Block, bool) {
        let place = if self.is_kept { place } else { 0 };
        (&mut self.blocks[place], self.is_kept)
    }
}

/// Blocks of so many rows.
pub(super) fn blocks_of(rows: usize) -> usize {
    rows.div_ceil(BLOCK)
}
