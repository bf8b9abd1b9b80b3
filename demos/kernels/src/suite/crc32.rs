//! Checksums of many blocks.

use hotsled::parallel;
use rayon::prelude::*;

use crate::data::Random;
use crate::kernel::{Entry, Kernel};
use crate::known;
use crate::values::Values;

pub const ENTRY: Entry = Entry {
    name: "crc32",
    source: "CRC-32/ISO-HDLC: \"123456789\" gives cbf43926; a block that ends with its own gives 2144df1c (Williams 1993)",
    counts: "blocks of up to 1 KiB",
    size: 40_000,
    small: 3_000,
    tolerance: 0.0,
    new: |n| Box::new(Blocks::new(n)),
};

const POLYNOMIAL: u32 = 0xedb8_8320;

#[hotsled::section]
fn crc32(table: &[u32], starts: &[u32], bytes: &[u8], crcs: &mut [u32]) {
    for i in parallel(0..crcs.len()) {
        let mut crc = u32::MAX;
        for k in starts[i] as usize..starts[i + 1] as usize {
            crc = table[((crc ^ bytes[k] as u32) & 255) as usize] ^ crc >> 8;
        }
        crcs[i] = !crc;
    }
}

/// What eight steps make of each byte.
fn table() -> Vec<u32> {
    let step = |crc: u32| crc >> 1 ^ if crc & 1 == 1 { POLYNOMIAL } else { 0 };
    let byte = |b: u32| (0..8).fold(b, |crc, _| step(crc));
    (0..256).map(byte).collect()
}

/// The same of one block, apart from the section.
fn crc_of(table: &[u32], block: &[u8]) -> u32 {
    !block.iter().fold(!0, |crc, byte| {
        let index = usize::from(crc.to_le_bytes()[0] ^ byte);
        table[index] ^ crc >> 8
    })
}

struct Blocks {
    table: Vec<u32>,
    /// Of each block, and the end of the last.
    starts: Vec<u32>,
    bytes: Vec<u8>,
    crcs: Vec<u32>,
}

impl Blocks {
    /// The standard's check, then random blocks that end with their own checksum, lowest byte first.
    fn new(n: usize) -> Self {
        let table = table();
        let mut bytes = b"123456789".to_vec();
        let mut starts = vec![0, bytes.len() as u32];
        let mut random = Random::new(32);
        while starts.len() <= n {
            let words = 1 + random.u32() % 255;
            let block: Vec<u8> = (0..words)
                .flat_map(|_| random.u32().to_le_bytes())
                .collect();
            bytes.extend(&block);
            bytes.extend(crc_of(&table, &block).to_le_bytes());
            starts.push(bytes.len() as u32);
        }
        Self {
            table,
            starts,
            bytes,
            crcs: vec![0; n],
        }
    }
}

impl Kernel for Blocks {
    fn section(&mut self) {
        crc32(&self.table, &self.starts, &self.bytes, &mut self.crcs);
    }

    fn rayon(&mut self) {
        let (table, bytes) = (&self.table, &self.bytes);
        let blocks = self.crcs.par_iter_mut().zip(self.starts.par_windows(2));
        blocks.for_each(|(crc, ends)| {
            *crc = crc_of(table, &bytes[ends[0] as usize..ends[1] as usize]);
        });
    }

    fn values(&self) -> Values<'_> {
        Values::U32(&self.crcs)
    }

    fn known(&self) -> Result<(), String> {
        let wanted = |i: usize| if i == 0 { 0xcbf4_3926u32 } else { 0x2144_df1c };
        known::all(&self.crcs, 0.0, |i| wanted(i).into())
    }
}
