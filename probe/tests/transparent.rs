//! A counted call changes no register and no flag; a function of the executable itself is adopted.

mod common;

use common::{adopt, probes};
use hotsled_probe::{Fuse, Module};

// `mirror` does nothing but return, so whatever differs after a call is the gate's doing. Its sled is
// what clang lays for 16.
std::arch::global_asm!(
    ".pushsection .text.mirror, \"ax\", @progbits",
    ".balign 16",
    ".globl mirror",
    ".type mirror, @function",
    "mirror:",
    ".byte 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x2e, 0x0f, 0x1f, 0x84, 0, 0, 2, 0, 0",
    "nop",
    "ret",
    ".size mirror, . - mirror",
    ".pushsection __patchable_function_entries, \"awo\", @progbits, mirror",
    ".balign 8",
    ".quad mirror",
    ".popsection",
    // through(rdi: in, rsi: out): loads every register and flag, calls `mirror`, stores them.
    // A state is 15 general registers, the flags, 16 vector registers.
    "through:",
    "push rbx; push rbp; push r12; push r13; push r14; push r15; push rsi",
    ".irp r, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15",
    "movups xmm\\r, [rdi + 128 + 16 * \\r]",
    ".endr",
    "fninit; fldpi",
    "mov rax, [rdi]; mov rbx, [rdi + 8]; mov rcx, [rdi + 16]; mov rdx, [rdi + 24]",
    "mov rsi, [rdi + 32]; mov rbp, [rdi + 40]; mov r8, [rdi + 48]; mov r9, [rdi + 56]",
    "mov r10, [rdi + 64]; mov r11, [rdi + 72]; mov r12, [rdi + 80]; mov r13, [rdi + 88]",
    "mov r14, [rdi + 96]; mov r15, [rdi + 104]",
    "push [rdi + 120]; popfq",
    "mov rdi, [rdi + 112]",
    "call mirror",
    "push rdi; mov rdi, [rsp + 8]",
    "mov [rdi], rax; mov [rdi + 8], rbx; mov [rdi + 16], rcx; mov [rdi + 24], rdx",
    "mov [rdi + 32], rsi; mov [rdi + 40], rbp; mov [rdi + 48], r8; mov [rdi + 56], r9",
    "mov [rdi + 64], r10; mov [rdi + 72], r11; mov [rdi + 80], r12; mov [rdi + 88], r13",
    "mov [rdi + 96], r14; mov [rdi + 104], r15",
    "pushfq; pop [rdi + 120]; pop [rdi + 112]; cld",
    ".irp r, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15",
    "movups [rdi + 128 + 16 * \\r], xmm\\r",
    ".endr",
    "fstp qword ptr [rdi + 384]",
    "pop rsi; pop r15; pop r14; pop r13; pop r12; pop rbp; pop rbx",
    "ret",
    ".popsection",
);

unsafe extern "C" {
    fn through(before: *const State, after: *mut State);
    safe static mirror: u8;
}

#[repr(C)]
#[derive(Clone, Debug, PartialEq)]
struct State {
    general: [u64; 15],
    flags: u64,
    vector: [[u64; 2]; 16],
    pi: f64,
}

/// Carry, parity, adjust, zero, sign, direction, overflow.
const FLAGS: [u64; 7] = [0, 2, 4, 6, 7, 10, 11];
/// Bit 1 is always set, and bit 9 lets interrupts in.
const FIXED: u64 = 0x202;

fn state(seed: u64) -> State {
    let word = |i: u64| (seed * 41 + i).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let flags = FLAGS.iter().enumerate().filter(|(i, _)| seed >> i & 1 == 1);
    State {
        general: std::array::from_fn(|i| word(i as u64)),
        flags: flags.fold(FIXED, |all, (_, bit)| all | 1 << bit),
        vector: std::array::from_fn(|i| [word(100 + i as u64), word(200 + i as u64)]),
        pi: std::f64::consts::PI,
    }
}

fn every_state_survives() {
    for seed in 0..1 << FLAGS.len() {
        let before = state(seed);
        let mut after = state(!seed & 0x7f);
        // SAFETY: both states are whole, and the assembly keeps the C convention.
        unsafe { through(&before, &mut after) };
        assert_eq!(before, after, "seed {seed}");
    }
}

#[test]
fn a_counted_call_changes_no_register_and_no_flag() {
    let probes = probes();
    let module = Module::executable().unwrap();
    let adoption = adopt(&probes, &module, (16, 0), Fuse::Refuse);
    let id = probes.at(&raw const mirror as u64).unwrap();
    assert_eq!(
        (adoption.functions, probes.named("mirror")),
        (vec![id], Some(id))
    );
    every_state_survives();
    assert_eq!(probes.calls(id), Some(0));
    probes.count(&[id]).unwrap();
    every_state_survives();
    assert_eq!(probes.calls(id), Some(128));
    probes.restore(&[id]).unwrap();
    every_state_survives();
    assert_eq!(probes.calls(id), Some(128));
}
