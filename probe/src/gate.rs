//! What a patched function jumps to: a gate that goes wherever the function's word says.
//!
//! One copy of the template for each function. It is position-independent, and its three constants lie
//! at its end, in the same never-writable pages.

use std::sync::atomic::{AtomicU64, Ordering};

use hotsled_abi::TargetAddr;

// Nothing here changes a register or a flag. Calls that follow no convention (clang's regcall, gcc's
// -fipa-ra, hand-written assembly) may keep values in any of them, so what a gate needs it saves in the
// red zone: the 128 bytes below rsp belong to the function that was just entered, and signal handlers
// keep off. rsp stays as it was, so an unwinder sees the function's own entry.
std::arch::global_asm!(
    ".pushsection .rodata.hotsled_probe, \"a\", @progbits",
    ".balign 16",
    ".globl hotsled_gate, hotsled_gate_count, hotsled_gate_original",
    ".globl hotsled_gate_constants, hotsled_gate_end",
    ".hidden hotsled_gate, hotsled_gate_count, hotsled_gate_original",
    ".hidden hotsled_gate_constants, hotsled_gate_end",
    // The sled's target: go to what the function's word holds.
    "hotsled_gate:",
    "endbr64",
    "mov [rsp - 8], rax",
    "mov rax, [rip + 2f]",
    "mov rax, [rax]",
    "mov [rsp - 16], rax",
    "mov rax, [rsp - 8]",
    "jmp qword ptr [rsp - 16]",
    // Count a call in the thread's row, then go on to the function itself.
    "hotsled_gate_count:",
    "endbr64",
    "mov [rsp - 8], rax",
    "mov [rsp - 16], rcx",
    "lahf",
    "seto al",
    "mov rcx, fs:[0]",
    "and ecx, 0xf000",
    "add rcx, [rip + 3f]",
    "lock inc qword ptr [rcx]",
    "add al, 127", // overflows exactly if `seto` stored 1
    "sahf",
    "mov rcx, [rsp - 16]",
    "mov rax, [rsp - 8]",
    // The function itself, behind its sled.
    "hotsled_gate_original:",
    "endbr64",
    "jmp qword ptr [rip + 4f]",
    ".balign 8, 0xcc",
    "hotsled_gate_constants:",
    "2: .quad 0", // address of the word
    "3: .quad 0", // address of the first row's counter
    "4: .quad 0", // address behind the sled
    ".balign 16, 0xcc",
    "hotsled_gate_end:",
    ".popsection",
);

unsafe extern "C" {
    safe static hotsled_gate: u8;
    safe static hotsled_gate_count: u8;
    safe static hotsled_gate_original: u8;
    safe static hotsled_gate_constants: u8;
    safe static hotsled_gate_end: u8;
}

/// Rows of counters; a thread uses the one that bits 12 to 15 of its thread pointer name, which differ
/// between threads whose stacks lie side by side.
const ROWS: usize = 16;
/// Bytes from one row to the next; the template's mask and this agree.
const ROW_LEN: usize = 0x1000;
/// Functions that share a block of rows.
const COLUMNS: usize = ROW_LEN / size_of::<AtomicU64>();

/// Counters of up to [`COLUMNS`] functions, page by page, so that threads in different rows never
/// write the same cache line.
#[repr(C, align(4096))]
struct Block([[AtomicU64; COLUMNS]; ROWS]);

/// A function's counter: one cell in each row.
#[derive(Clone, Copy)]
struct Counter {
    block: &'static Block,
    column: usize,
}

impl Counter {
    fn total(self) -> u64 {
        let cells = self.block.0.iter().map(|row| &row[self.column]);
        cells.map(|cell| cell.load(Ordering::Relaxed)).sum()
    }
}

/// The gate of one function, its word and its counter.
pub(crate) struct Gate {
    start: TargetAddr,
    word: &'static AtomicU64,
    counter: Counter,
}

impl Gate {
    /// Where the sled jumps.
    pub fn entry(&self) -> TargetAddr {
        self.start
    }

    /// Code that counts a call and runs the function.
    pub fn count(&self) -> TargetAddr {
        self.at(&hotsled_gate_count)
    }

    /// Code that runs the function, whatever its sled holds.
    pub fn original(&self) -> TargetAddr {
        self.at(&hotsled_gate_original)
    }

    /// Calls that went through [`count`](Self::count).
    pub fn calls(&self) -> u64 {
        self.counter.total()
    }

    /// Where calls go from now on that meet the patched sled.
    pub fn lead_to(&self, target: TargetAddr) {
        // Release: whatever the caller prepared for the target is there when a call arrives.
        self.word.store(target.get(), Ordering::Release);
    }

    fn at(&self, label: &u8) -> TargetAddr {
        TargetAddr::new(self.start.get() + offset(label) as u64)
    }
}

/// Gates that are not published yet.
pub(crate) struct Draft {
    code: Vec<u8>,
    words: &'static [AtomicU64],
    counters: Vec<Counter>,
}

impl Draft {
    /// One gate for each function, given the address behind its sled.
    pub fn new(resume: &[u64]) -> Self {
        let words: Vec<_> = resume.iter().map(|_| AtomicU64::new(0)).collect();
        // Leaked, as are the counters: a thread may stand in a gate for as long as the process lives.
        let words: &'static [AtomicU64] = Box::leak(words.into_boxed_slice());
        let counters = counters(resume.len());
        let gates = words.iter().zip(&counters).zip(resume);
        let code = gates.flat_map(|((word, counter), &resume)| code(word, counter, resume));
        Self {
            code: code.collect(),
            words,
            counters,
        }
    }

    /// The code to publish, which may lie anywhere.
    pub fn code(&self) -> &[u8] {
        &self.code
    }

    /// The gates, once their code lies at `base`. Each counts until told otherwise.
    pub fn published(self, base: TargetAddr) -> Vec<Gate> {
        let len = offset(&hotsled_gate_end) as u64;
        let starts = (0..).map(|i| TargetAddr::new(base.get() + i * len));
        let parts = self.words.iter().zip(self.counters).zip(starts);
        let gates = parts.map(|((word, counter), start)| Gate {
            start,
            word,
            counter,
        });
        gates.inspect(|gate| gate.lead_to(gate.count())).collect()
    }
}

fn code(word: &'static AtomicU64, counter: &Counter, resume: u64) -> Vec<u8> {
    let mut code = template().to_vec();
    let first = std::ptr::from_ref(&counter.block.0[0][counter.column]) as u64;
    let constants = [std::ptr::from_ref(word) as u64, first, resume].map(u64::to_le_bytes);
    let at = offset(&hotsled_gate_constants);
    code[at..at + 24].copy_from_slice(&constants.concat());
    code
}

fn counters(functions: usize) -> Vec<Counter> {
    let blocks: Vec<_> = (0..functions.div_ceil(COLUMNS)).map(|_| block()).collect();
    let place = |i: usize| Counter {
        block: blocks[i / COLUMNS],
        column: i % COLUMNS,
    };
    (0..functions).map(place).collect()
}

fn block() -> &'static Block {
    // SAFETY: all-zero bytes are valid atomics.
    Box::leak(unsafe { Box::<Block>::new_zeroed().assume_init() })
}

fn template() -> &'static [u8] {
    let start = &raw const hotsled_gate;
    // SAFETY: the assembly above laid these bytes, and nobody writes them.
    unsafe { std::slice::from_raw_parts(start, offset(&hotsled_gate_end)) }
}

fn offset(label: &u8) -> usize {
    std::ptr::from_ref(label) as usize - &raw const hotsled_gate as usize
}

/// Whether this processor has `lahf` in 64-bit mode; all but the first of 2003 to 2005 do.
pub(crate) fn processor_counts() -> bool {
    std::arch::x86_64::__cpuid(0x8000_0001).ecx & 1 == 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use iced_x86::{
        Decoder, DecoderOptions, FlowControl, InstructionInfoFactory, OpAccess, Register,
    };

    fn instructions(from: &u8, to: &u8) -> Vec<iced_x86::Instruction> {
        let code = &template()[offset(from)..offset(to)];
        Decoder::new(64, code, DecoderOptions::NONE)
            .into_iter()
            .collect()
    }

    /// Registers that a stretch of the template writes.
    fn written(from: &u8, to: &u8) -> Vec<Register> {
        let mut factory = InstructionInfoFactory::new();
        let writes = |access| {
            matches!(
                access,
                OpAccess::Write | OpAccess::ReadWrite | OpAccess::CondWrite
            )
        };
        let mut written: Vec<_> = instructions(from, to)
            .iter()
            .flat_map(|i| factory.info(i).used_registers().to_vec())
            .filter(|u| writes(u.access()) && !u.register().is_segment_register())
            .map(|u| u.register().full_register())
            .collect();
        written.sort();
        written.dedup();
        written
    }

    #[test]
    fn gates_touch_the_registers_they_save_and_never_the_stack_pointer() {
        use Register::{RAX, RCX};
        assert_eq!(written(&hotsled_gate, &hotsled_gate_count), [RAX]);
        assert_eq!(
            written(&hotsled_gate_count, &hotsled_gate_original),
            [RAX, RCX]
        );
        assert_eq!(written(&hotsled_gate_original, &hotsled_gate_constants), []);
        let last = instructions(&hotsled_gate, &hotsled_gate_count);
        assert_eq!(
            last.last().unwrap().flow_control(),
            FlowControl::IndirectBranch
        );
    }

    #[test]
    fn functions_have_cells_of_their_own() {
        let counters = counters(COLUMNS + 3);
        let cell = |i: usize, row: usize| &counters[i].block.0[row][counters[i].column];
        for i in [0, 1, COLUMNS - 1, COLUMNS, COLUMNS + 2] {
            for row in 0..ROWS {
                cell(i, row).fetch_add(i as u64 + 1, Ordering::Relaxed);
            }
        }
        let totals = [0, 1, 2, COLUMNS - 1, COLUMNS, COLUMNS + 2].map(|i| counters[i].total());
        let expected = [1, 2, 0, COLUMNS, COLUMNS + 1, COLUMNS + 3].map(|n| 16 * n as u64);
        assert_eq!(totals, expected);
        assert_eq!(
            cell(0, 1) as *const _ as usize - cell(0, 0) as *const _ as usize,
            ROW_LEN
        );
    }
}
